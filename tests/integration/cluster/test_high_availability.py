"""The quickstart's scenario 5, step by step, by the log lines that it shows: nodes come, stop, die and come back, and portfolios move."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise

from ginkgo_streams import messages as m
from ginkgo_streams.topics import ALERTS, SNAPSHOTS
from tests.integration.cluster.harness import Cluster, Process, until
from tests.integration.cluster.test_processes import CODES, assert_in_order

FIRST, SECOND = "test_node_001", "test_node_002"


def alerts(cluster: Cluster, kind: str, node: str) -> list[m.Alert]:
    return [alert for alert in cluster.topics.messages(ALERTS, m.Alert) if (alert.alert_type, alert.source) == (kind, node)]


def shares(cluster: Cluster, portfolios: list[str]) -> Counter[str]:
    return Counter(cluster.owner(each) for each in portfolios)


def trade_on(cluster: Cluster, portfolios: list[str]) -> None:
    """Until each of them has ordered again."""
    counted = {each: len(cluster.orders(each)) for each in portfolios}
    until(lambda: all(len(cluster.orders(each)) > counted[each] for each in portfolios), cluster.logs)


def started(cluster: Cluster, name: str) -> Process:
    """Step 1 and 6, with the command of the quickstart."""
    assert cluster.redis is not None
    return cluster.node(name, "--kafka-bootstrap-servers", cluster.broker.bootstrap, "--redis-host", "127.0.0.1")


def test_s2_9_scenario_5_of_the_quickstart_when_walked_through_then_every_step_is_seen_in_time(cluster: Cluster) -> None:
    scheduler = cluster.livecore("livecore_001")

    # 1. and 2.: nodes are started, and seen within 10 s.
    first = started(cluster, FIRST)
    scheduler.wait_for(f"[INFO] Detected new ExecutionNode: {FIRST}", timeout=10)
    scheduler.wait_for("[INFO] Assigning Portfolios to available nodes...")
    portfolios = [cluster.create(f"Busy {number}", CODES, busy=number) for number in range(4)]
    for each in portfolios:
        cluster.wait_status(each, "running")
    second = started(cluster, SECOND)
    scheduler.wait_for(f"[INFO] Detected new ExecutionNode: {SECOND}", timeout=10)
    assert_in_order(
        first.lines(), [f"[INFO] Starting ExecutionNode: {FIRST}", f"[INFO] Connecting to Kafka: {cluster.broker.bootstrap}",
                        "[INFO] Starting heartbeat sender (interval: 10s)", "[INFO] ExecutionNode ready, processing events..."],
    )  # fmt: skip
    first.wait_for(f"[INFO] Heartbeat sent to Redis: heartbeat:node:{FIRST}")
    until(lambda: shares(cluster, portfolios) == {FIRST: 2, SECOND: 2}, cluster.logs)

    with cluster.market.trading():
        trade_on(cluster, portfolios)

        # 3. to 5.: Ctrl+C. It is not missed, it has said that it leaves; its portfolios are on the other one.
        gone = [each for each in portfolios if cluster.owner(each) == FIRST]
        assert first.interrupt() == 0
        assert_in_order(
            first.lines(), ["[INFO] Received SIGINT, gracefully stopping...", "[INFO] Waiting for queues to drain (0 messages remaining)",
                            "[INFO] Stopping heartbeat sender", "[INFO] ExecutionNode stopped"],
        )  # fmt: skip
        cluster.wait_owned(portfolios, {SECOND}, timeout=60)
        scheduler.wait_for(f"[INFO] ExecutionNode {FIRST} has left: stopped")
        for each in gone:
            scheduler.wait_for(f"[INFO] Portfolio {each} migrated successfully")
            second.wait_for(f"[INFO] PortfolioProcessor-{each} started")
            second.wait_for(f"[INFO] Portfolio {each} is now running on {SECOND}")
        scheduler.wait_for(f"[INFO] Triggering Portfolio migration from {FIRST} to {SECOND} (2 portfolios)")
        trade_on(cluster, portfolios)

        # 6.: it comes back, and has its share again.
        first = started(cluster, FIRST)
        scheduler.wait_for(f"[INFO] ExecutionNode {FIRST} is back online", timeout=10)
        until(lambda: shares(cluster, portfolios) == {FIRST: 2, SECOND: 2}, cluster.logs)

        # The same without a word: seen within 30 s, trading elsewhere within 60 s.
        orphans = [each for each in portfolios if cluster.owner(each) == FIRST]
        completed = scheduler.text().count("[INFO] Migration completed in ")
        first.kill()
        killed = time.monotonic()
        scheduler.wait_for(f"[WARNING] ExecutionNode {FIRST} heartbeat timeout (6s)", timeout=30)
        assert time.monotonic() - killed < 30
        cluster.wait_owned(orphans, {SECOND}, timeout=60)
        trade_on(cluster, orphans)
        assert time.monotonic() - killed < 60
        scheduler.wait_for(f"[INFO] Triggering Portfolio migration from {FIRST} to {SECOND} (2 portfolios)", count=2)
        scheduler.wait_for("[INFO] Migration completed in ", count=completed + 1)
        for each in orphans:
            scheduler.wait_for(f"[INFO] Portfolio {each} migrated successfully")

        first = started(cluster, FIRST)
        scheduler.wait_for(f"[INFO] ExecutionNode {FIRST} is back online", count=2, timeout=10)
        scheduler.wait_for("[INFO] Rebalancing Portfolio assignments...")
        until(lambda: shares(cluster, portfolios) == {FIRST: 2, SECOND: 2}, cluster.logs)
        trade_on(cluster, portfolios)

    cluster.audit()
    offline, online = alerts(cluster, "node_offline", FIRST), alerts(cluster, "node_online", FIRST)
    assert [(alert.severity, alert.details["reason"]) for alert in offline] == [("info", "stopped"), ("critical", "no heartbeat for 6 s")]
    assert offline[1].details["portfolios"] == 2
    assert [alert.severity for alert in online] == ["info"] * 3
    assert not alerts(cluster, "node_offline", SECOND)


def pauses(cluster: Cluster, portfolios: list[str], since_ms: int) -> dict[str, float]:
    """The longest time in seconds between two snapshots of each, by the clock of who wrote them. A portfolio that sees prices makes
    one a second."""
    at: dict[str, list[int]] = {each: [since_ms] for each in portfolios}
    for record in cluster.topics.records(SNAPSHOTS):
        if record.timestamp > since_ms and (times := at.get(record.key.decode())) is not None:  # others' books stay on this cluster
            times.append(record.timestamp)
    return {each: max(later - earlier for earlier, later in pairwise(sorted(times))) / 1_000 for each, times in at.items()}


def test_s8_5_processes_replaced_one_by_one_under_load_then_there_is_no_outage_and_the_books_agree(cluster: Cluster) -> None:
    """As docs/operations.md says, under "Upgrade"."""
    names = ("livecore_001", "livecore_002", FIRST, SECOND)
    cluster.only(*names)
    cluster.audit()
    portfolios = [cluster.create(f"Upgraded {number}", CODES, busy=number) for number in range(4)]
    with cluster.market.trading():
        trade_on(cluster, portfolios)
        for name in names:
            since = round(time.time() * 1_000)
            elsewhere = [each for each in portfolios if cluster.owner(each) != name]
            old = next(process for process in cluster.processes if process.name == name and process.child.alive)
            assert old.stop() == 0
            cluster.only(*names)
            trade_on(cluster, portfolios)
            longest = pauses(cluster, portfolios, since)
            others = [longest[each] for each in elsewhere]
            print(f"{name} replaced: portfolios elsewhere paused for {max(others):.1f} s at most, all for {max(longest.values()):.1f} s")
            assert max(longest.values()) < 60
    cluster.audit()
