"""Nodes and livecore come, stop and die: scenarios 3.1 to 3.3, 4.1, 4.2, and two nodes that share the portfolios."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
import redis

from ginkgo_streams import messages as m
from ginkgo_streams.placement_key import slot_of
from ginkgo_streams.topics import EVENTS
from tests.integration.cluster.harness import Cluster, until

NODES = {"execution_node_001", "execution_node_002"}
CODES = ["000001.SZ", "000002.SZ", "600000.SH"]


@pytest.fixture(scope="module")
def portfolios(cluster: Cluster) -> list[str]:
    """Four portfolios, each in a slot of its own."""
    cluster.only("livecore_001", "execution_node_001")
    made = [cluster.create(f"Busy {number}", CODES, busy=number) for number in range(4)]
    for each in made:
        cluster.wait_status(each, "running")
    assert len({slot_of(each, cluster.slots) for each in made}) == 4
    return made


@pytest.fixture
def view(cluster: Cluster) -> redis.Redis:
    assert cluster.redis is not None
    return redis.Redis(port=cluster.redis.port, decode_responses=True)


def assert_in_order(lines: Sequence[str], wanted: Sequence[str]) -> None:
    rest = iter(lines)
    for line in wanted:
        assert any(line == each for each in rest), f"no {line!r}, or not there, in\n" + "\n".join(lines)


def test_s3_1_node_when_started_then_it_is_registered_beats_and_has_its_portfolios_and_says_so_in_order(
    cluster: Cluster, portfolios: list[str], view: redis.Redis
) -> None:
    cluster.only("livecore_001")
    node = cluster.node("execution_node_001")
    redis_port = cluster.environment["GINKGO_REDIS__PORT"]
    assert_in_order(
        node.lines(),
        [
            "[INFO] Starting ExecutionNode: execution_node_001", f"[INFO] Connecting to Kafka: {cluster.broker.bootstrap}",
            f"[INFO] Connecting to Redis: 127.0.0.1:{redis_port}", "[INFO] Loading Portfolios from database...",
            "[INFO] Found 4 Portfolios to load", "[INFO] Starting Kafka consumer for topic: ginkgo.live.market.data",
            "[INFO] Starting PortfolioProcessor threads...", *(f"[INFO] PortfolioProcessor-{each} started" for each in sorted(portfolios)),
            "[INFO] ExecutionNode ready, processing events...",
        ],
    )  # fmt: skip
    node.wait_for("[INFO] Starting heartbeat sender (interval: 10s)")
    node.wait_for("[INFO] Heartbeat sent to Redis: heartbeat:node:execution_node_001")
    assert view.get("heartbeat:node:execution_node_001") == "alive"
    assert 0 < int(view.ttl("heartbeat:node:execution_node_001")) <= 30
    assert view.smembers("nodes:active") == {"execution_node_001"}
    info = view.hgetall("execution_node:execution_node_001:info")
    assert isinstance(info, dict)
    assert set(info) == {"node_id", "host", "port", "status", "portfolio_count", "last_heartbeat", "started_at", "version"}
    assert (info["node_id"], info["status"]) == ("execution_node_001", "running")
    until(lambda: view.hget("execution_node:execution_node_001:info", "portfolio_count") == "4", lambda: str(info) + cluster.logs())
    until(lambda: view.smembers("schedule:plan:execution_node_001") == set(portfolios), cluster.logs)
    cluster.wait_owned(portfolios, {"execution_node_001"})
    cluster.processes[0].wait_for("[INFO] Detected new ExecutionNode: execution_node_001")


def test_two_nodes_when_both_run_then_they_share_the_portfolios(cluster: Cluster, portfolios: list[str], view: redis.Redis) -> None:
    cluster.only("livecore_001", "execution_node_001", "execution_node_002")

    def shared() -> bool:
        owners = [cluster.owner(each) for each in portfolios]
        return owners.count("execution_node_001") == owners.count("execution_node_002") == 2

    until(shared, lambda: f"two and two; they are on {[cluster.owner(each) for each in portfolios]}\n{cluster.logs()}")
    until(lambda: view.smembers("nodes:active") == NODES, cluster.logs)
    wanted = {f"schedule:plan:{name}": {one for one in portfolios if cluster.owner(one) == name} for name in NODES}
    until(lambda: {key: view.smembers(key) for key in wanted} == wanted, cluster.logs)


def test_s3_2_node_when_told_to_stop_then_within_60_s_all_is_saved_it_has_left_and_exits_0(
    cluster: Cluster, portfolios: list[str], view: redis.Redis
) -> None:
    _, _, node = cluster.only("livecore_001", "execution_node_001", "execution_node_002")
    with cluster.market.trading():
        until(lambda: all(len(cluster.orders(each)) >= 2 for each in portfolios), cluster.logs)
        assert node.stop(timeout=60) == 0, node.text()
        counted = {each: len(cluster.orders(each)) for each in portfolios}
        until(lambda: all(len(cluster.orders(each)) > counted[each] for each in portfolios), cluster.logs)
    assert_in_order(
        node.lines(),
        [
            "[INFO] Received SIGTERM, gracefully stopping...", "[INFO] Waiting for queues to drain (0 messages remaining)",
            "[INFO] Stopping heartbeat sender", "[INFO] ExecutionNode stopped",
        ],
    )  # fmt: skip
    assert view.smembers("nodes:active") == {"execution_node_001"}
    assert not view.exists("heartbeat:node:execution_node_002", "execution_node:execution_node_002:info")
    left = [e for e in cluster.topics.messages(EVENTS, m.SystemEvent) if isinstance(e, m.NodeOffline)]
    assert (left[-1].node_id, left[-1].reason) == ("execution_node_002", "stopped")
    cluster.wait_owned(portfolios, {"execution_node_001"})
    assert "CRITICAL" not in node.text()
    assert "Traceback" not in node.text()
    cluster.audit()


def test_node_when_interrupted_then_it_says_so_and_exits_0(cluster: Cluster, portfolios: list[str]) -> None:
    _, node = cluster.only("livecore_001", "execution_node_002")
    assert node.interrupt() == 0
    assert_in_order(node.lines(), ["[INFO] Received SIGINT, gracefully stopping...", "[INFO] ExecutionNode stopped"])
    assert "Traceback" not in node.text()


def test_s3_3_node_when_killed_then_within_60_s_its_portfolios_trade_elsewhere_and_the_books_agree(
    cluster: Cluster, portfolios: list[str], view: redis.Redis
) -> None:
    _, survivor, node = cluster.only("livecore_001", "execution_node_001", "execution_node_002")
    until(lambda: {cluster.owner(each) for each in portfolios} == {"execution_node_001", "execution_node_002"}, cluster.logs)
    with cluster.market.trading():
        counted = {each: len(cluster.orders(each)) for each in portfolios}
        until(lambda: all(len(cluster.orders(each)) > counted[each] for each in portfolios), cluster.logs)
        orphans = [each for each in portfolios if cluster.owner(each) == node.name]
        assert orphans
        node.kill()
        killed = time.monotonic()
        counted = {each: len(cluster.orders(each)) for each in portfolios}
        cluster.wait_owned(portfolios, {survivor.name}, timeout=60)
        until(lambda: all(len(cluster.orders(each)) > counted[each] for each in orphans), cluster.logs)
        assert time.monotonic() - killed < 60
    assert cluster.audit()["orders"] > 0
    until(lambda: view.smembers("nodes:active") == {survivor.name}, cluster.logs)
    until(lambda: view.smembers(f"schedule:plan:{survivor.name}") == set(portfolios), cluster.logs)
    until(lambda: not view.exists(f"schedule:plan:{node.name}"), cluster.logs)


def test_s4_1_livecore_when_started_then_orders_are_consumed_and_it_says_so_in_order(cluster: Cluster, portfolios: list[str]) -> None:
    cluster.only("execution_node_001")
    livecore = cluster.livecore("livecore_001")
    assert_in_order(
        livecore.lines(),
        [
            "[INFO] Starting LiveCore services...", "[INFO] Starting Data module...", "[INFO] Starting TradeGateway...",
            "[INFO] Broker type: simulation", "[INFO] Starting LiveEngine...",
            "[INFO] Subscribing to Kafka topic: ginkgo.live.orders.submission", "[INFO] Starting Scheduler...", "[INFO] LiveCore ready",
        ],
    )  # fmt: skip
    portfolio_id = cluster.create("At livecore's start", CODES[:1])
    cluster.wait_status(portfolio_id, "running")
    order = cluster.buy(portfolio_id, CODES[0])
    cluster.market.step(volume=10_000_000)
    cluster.wait_snapshot(portfolio_id, lambda s: s.fills == 1 and not s.open_orders, f"{order} filled")


def test_s4_2_livecore_when_stopped_with_open_orders_then_it_ends_within_30_s_and_they_are_answered_after_its_return(
    cluster: Cluster, portfolios: list[str]
) -> None:
    livecore, _ = cluster.only("livecore_001", "execution_node_001")
    portfolio_id = cluster.create("At livecore's end", CODES[:1])
    cluster.wait_status(portfolio_id, "running")
    order = cluster.buy(portfolio_id, CODES[0])
    cluster.wait_snapshot(portfolio_id, lambda s: bool(s.open_orders), "the open order")
    assert livecore.stop(timeout=30) == 0, livecore.text()
    assert_in_order(livecore.lines(), ["[INFO] Received SIGTERM, gracefully stopping...", "[INFO] LiveCore stopped"])
    assert "Traceback" not in livecore.text()
    cluster.market.step(volume=10_000_000)  # nobody sees it now; it waits in Kafka
    cluster.only("livecore_001", "execution_node_001")
    cluster.wait_snapshot(portfolio_id, lambda s: s.fills == 1 and not s.open_orders, f"{order} filled")
    ends = [r for r in cluster.reports(portfolio_id) if r.order_id == order.order_id]
    assert isinstance(ends[-1], m.OrderFilled)
    assert cluster.audit()["pending"] == 0
