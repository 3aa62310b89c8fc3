"""A portfolio's life on one node and one livecore, by command: scenarios 1.1, 2.1-2.3, 2.6, 2.7, 6.11, and the audit at the end."""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal

import msgspec
import pytest
import redis

from ginkgo_streams import messages as m
from ginkgo_streams.audit.check import audit
from ginkgo_streams.audit.records import Raw
from ginkgo_streams.audit.topics import read_topics
from ginkgo_streams.portfolios.read import portfolio_row
from ginkgo_streams.portfolios.store import open_store
from ginkgo_streams.storage.models import Portfolio
from ginkgo_streams.topics import MARKET_DATA, TICKS
from tests.integration.cluster.harness import Cluster, Process, until

PING_AN, VANKE, SPDB = "000001.SZ", "000002.SZ", "600000.SH"
STRATEGY = ("--strategy-id", "trend_follow_strategy_uuid", "--strategy-param", "short_period=1", "--strategy-param", "long_period=2")
SIZER = ("--sizer-id", "fixed_amount_sizer_uuid", "--sizer-param", "amount=20000")


@pytest.fixture(scope="module")
def livecore(cluster: Cluster) -> Process:
    return cluster.livecore()


@pytest.fixture(scope="module")
def node(cluster: Cluster, livecore: Process) -> Process:
    return cluster.node()


@pytest.fixture
def view(cluster: Cluster) -> redis.Redis:
    assert cluster.redis is not None
    return redis.Redis(port=cluster.redis.port, decode_responses=True)


def row(cluster: Cluster, portfolio_id: str) -> Portfolio:
    store = open_store(cluster.settings)
    try:
        return portfolio_row(store, portfolio_id)
    finally:
        store.engine.dispose()


def text(view: redis.Redis, key: str) -> str:
    found = view.get(key)
    assert isinstance(found, str), f"{key}: {found!r}"
    return found


def test_s2_1_valid_portfolio_when_created_by_the_command_of_the_quickstart_then_there_is_a_row_and_it_comes_to_run(
    cluster: Cluster, node: Process, view: redis.Redis
) -> None:
    done = cluster.run(
        "portfolio", "create", "--name", "My First Live Portfolio", "--user-id", "user_uuid", "--initial-cash", "100000",
        "--strategy-id", "trend_follow_strategy_uuid", "--risk-id", "position_ratio_risk_uuid", "--sizer-id", "fixed_amount_sizer_uuid",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + cluster.logs()
    created = re.match(r"Portfolio created: ([0-9a-f-]{36})\n", done.stdout)
    assert created is not None, done.stdout
    portfolio_id = created[1]
    assert done.stdout.endswith(f"Portfolio {portfolio_id} is running on execution_node_001\n")
    kept = row(cluster, portfolio_id)
    assert (kept.name, kept.user_id) == ("My First Live Portfolio", "user_uuid")
    assert (kept.initial_cash, kept.status) == (Decimal(100_000), "running")
    state = json.loads(until(lambda: view.get(f"portfolio:{portfolio_id}:state"), cluster.logs))
    assert state.pop("last_update")
    assert state == {
        "portfolio_id": portfolio_id, "name": "My First Live Portfolio", "status": "running", "cash": 100_000, "total_value": 100_000,
        "position_count": 0, "node_id": "execution_node_001",
    }  # fmt: skip
    node.wait_for(f"PortfolioProcessor-{portfolio_id} started")


def test_portfolio_name_when_taken_then_create_refuses_with_exit_1_and_no_second_row(cluster: Cluster, node: Process) -> None:
    arguments = ("portfolio", "create", "--name", "Twin", "--user-id", "user_uuid", "--initial-cash", "1000", *STRATEGY, *SIZER)
    assert cluster.run(*arguments).returncode == 0
    again = cluster.run(*arguments)
    assert again.returncode == 1
    assert again.stderr.startswith("[ERROR] ")
    assert "Twin" in again.stderr
    assert "Traceback" not in again.stderr
    listed = json.loads(cluster.run("portfolio", "list", "--json").stdout)
    assert [each["name"] for each in listed].count("Twin") == 1


def test_s1_1_single_price_update_when_another_producer_writes_it_then_it_reaches_the_interested_slots_only_and_once(
    cluster: Cluster, node: Process
) -> None:
    watching = cluster.create("Watches Ping An", [PING_AN])
    other = cluster.create("Watches Vanke", [VANKE])
    cluster.wait_status(watching, "running")
    cluster.wait_status(other, "running")
    cluster.market.step()
    volume = 123_457  # by which it is known again
    message = {
        "event_type": "price_update", "_v": 1, "code": PING_AN, "market": "CN", "timestamp": m.iso(cluster.market.now + 100),
        "price": 10.01, "volume": volume, "open": 10, "high": 10.01, "low": 10, "close": 10.01, "prev_close": 10, "bid_price": 10,
        "ask_price": 10.01, "bid_volume": 100, "ask_volume": 200, "seq": cluster.market.now + 100, "some_new_field": {"a": 1},
    }  # fmt: skip
    cluster.topics.send(MARKET_DATA, json.dumps(message).encode(), PING_AN.encode())
    cluster.market.step()  # behind it in the same partition: when this one has arrived, so has every copy of that

    def arrived() -> list[tuple[int, int, int]]:
        found = []
        for record in cluster.topics.records(TICKS):
            quotes = m.decode_ticks(record.value).quotes()
            found += [(record.partition, int(quotes.data[0, i]), int(quotes.data[3, i])) for i in range(len(quotes))]
        return found

    interested = {cluster.slot(watching), *all_watchers(cluster)}
    until(lambda: {slot for slot, ts, _ in arrived() if ts == cluster.market.now} >= interested, cluster.logs)
    assert sorted(slot for slot, _, v in arrived() if v == volume) == sorted(interested)


def all_watchers(cluster: Cluster) -> set[int]:
    """Slots of portfolios that watch every code: those made without --codes."""
    listed = json.loads(cluster.run("portfolio", "list", "--json").stdout)
    return {cluster.slot(each["portfolio_id"]) for each in listed if not each["name"].startswith("Watches ")}


def test_s2_2_portfolio_when_it_runs_then_it_trades_with_its_components_and_everybody_sees_the_state(
    cluster: Cluster, node: Process, view: redis.Redis
) -> None:
    portfolio_id = cluster.create("Trades SPDB", [SPDB])
    cluster.wait_status(portfolio_id, "running")
    order = cluster.buy(portfolio_id, SPDB)
    assert (order.code, order.direction, order.volume, order.order_type) == (SPDB, 1, 1600, "limit")
    assert order.reason == "TrendFollowStrategy: golden cross 1/2"
    cluster.market.step(volume=1_000_000)
    newest = cluster.wait_snapshot(portfolio_id, lambda s: s.fills == 1 and not s.open_orders, "the fill")
    node.wait_for(f"Order filled: {order.order_id}")

    text_of_status = until(
        lambda: (out := cluster.run("portfolio", "status", portfolio_id).stdout) and "Position Count: 1" in out and out, cluster.logs
    )
    lines = text_of_status.splitlines()
    assert lines[:3] == [f"Portfolio: {portfolio_id}", "Name: Trades SPDB", "Status: running"]
    assert f"Cash: {newest.cash:.2f}" in lines
    assert "Node: execution_node_001" in lines
    positions = cluster.run("portfolio", "positions", portfolio_id).stdout.splitlines()
    assert positions[0] == "Positions:"
    assert positions[1].startswith(f"- {SPDB}: LONG 1600 shares @ 12.0")
    state = json.loads(text(view, f"portfolio:{portfolio_id}:state"))
    assert (state["position_count"], state["cash"]) == (1, newest.cash)


def test_s2_7_portfolio_when_deleted_while_running_then_it_is_refused_with_exit_1_and_trades_on(cluster: Cluster, node: Process) -> None:
    portfolio_id = cluster.create("To be deleted", [VANKE])
    cluster.wait_status(portfolio_id, "running")
    until(lambda: row(cluster, portfolio_id).status == "running", cluster.logs)
    done = cluster.run("portfolio", "delete", portfolio_id)
    assert done.returncode == 1
    assert f"[ERROR] portfolio {portfolio_id} cannot be deleted: it is running" in done.stderr
    assert row(cluster, portfolio_id).status == "running"


def test_s2_7_portfolio_when_deleted_while_stopped_then_its_row_and_its_view_are_gone(
    cluster: Cluster, node: Process, view: redis.Redis
) -> None:
    portfolio_id = cluster.create("Stopped, then deleted", [VANKE])
    cluster.wait_status(portfolio_id, "running")
    assert cluster.run("portfolio", "stop", portfolio_id).returncode == 0
    done = cluster.run("portfolio", "delete", portfolio_id, "--json")
    assert json.loads(done.stdout)["status"] == "deleted", done.stdout + done.stderr
    assert done.returncode == 0
    listed = json.loads(cluster.run("portfolio", "list", "--json").stdout)
    assert portfolio_id not in {each["portfolio_id"] for each in listed}
    until(lambda: view.get(f"portfolio:{portfolio_id}:state") is None, cluster.logs)
    assert cluster.run("portfolio", "status", portfolio_id).returncode == 1


def test_s2_6_running_portfolio_when_stopped_then_open_orders_end_within_30_s_and_it_is_saved_as_stopped(
    cluster: Cluster, node: Process
) -> None:
    portfolio_id = cluster.create("To be stopped", [SPDB])  # the other one that watches it holds it already, and leaves it all the volume
    cluster.wait_status(portfolio_id, "running")
    order = cluster.buy(portfolio_id, SPDB)
    cluster.market.step(volume=5_000)  # a part of it: the exchange takes a tenth of what is traded
    cluster.wait_snapshot(portfolio_id, lambda s: s.fills == 1 and bool(s.open_orders), "a part filled")
    done = cluster.run("portfolio", "stop", portfolio_id, "--timeout", "30", "--json")
    assert done.returncode == 0, done.stderr + cluster.logs()
    assert json.loads(done.stdout)["status"] == "stopped"
    assert row(cluster, portfolio_id).status == "stopped"
    newest = cluster.wait_status(portfolio_id, "stopped")
    assert (newest.open_orders, newest.frozen) == ([], 0)
    ends = [r for r in cluster.reports(portfolio_id) if r.order_id == order.order_id]
    assert isinstance(ends[-1], m.OrderCancelled)
    (kept,) = newest.positions
    assert kept.volume == sum(r.filled_volume for r in ends if isinstance(r, m.OrderPartiallyFilled))
    assert 0 < kept.volume < order.volume
    before = len(cluster.orders(portfolio_id))
    cluster.market.cross_up(SPDB)
    cluster.wait_snapshot(portfolio_id, lambda s: s.total_value != newest.total_value or s.updated_at > newest.updated_at, "a later clock")
    assert len(cluster.orders(portfolio_id)) == before


def test_s2_3_running_portfolio_when_updated_then_the_new_version_is_seen_running_with_its_open_order_and_can_be_rolled_back(
    cluster: Cluster, node: Process
) -> None:
    portfolio_id = cluster.create("To be changed", [VANKE])
    cluster.wait_status(portfolio_id, "running")
    order = cluster.buy(portfolio_id, VANKE)
    bad = cluster.run("portfolio", "update", portfolio_id, "--set", "strategy.params.short_period=9")
    assert (bad.returncode, "short_period = 9 must be less than long_period = 2" in bad.stderr) == (1, True), bad.stderr
    done = cluster.run(
        "portfolio", "update", portfolio_id, "--set", "strategy.params.long_period=30", "--codes", f"{VANKE},{SPDB}", "--reason", "slower",
        "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout + cluster.logs()
    answer = json.loads(done.stdout)
    assert (answer["done"], answer["version"], answer["status"]) == (True, 2, "running")
    assert answer["message"].startswith(f"Portfolio {portfolio_id} runs version 2 on execution_node_001; 2 of 2 codes wait for history")
    newest = cluster.wait_snapshot(portfolio_id, lambda s: s.version == 2, "version 2")
    assert newest.config["strategy"]["params"] == {"short_period": 1, "long_period": 30}
    assert [each["order_id"] for each in newest.open_orders] == [order.order_id]
    assert [(move["from"], move["to"]) for move in newest.transitions][-2:] == [("running", "reloading"), ("reloading", "running")]
    assert row(cluster, portfolio_id).version == 2
    back = cluster.run("portfolio", "rollback", portfolio_id, "--to", "1")
    assert (back.returncode, back.stdout) == (0, f"Portfolio {portfolio_id} runs version 3 on execution_node_001\n"), back.stderr
    versions = json.loads(cluster.run("portfolio", "history", portfolio_id, "--json").stdout)
    assert [(each["version"], each["reason"]) for each in versions] == [(1, "created"), (2, "slower"), (3, "rollback to version 1")]
    assert versions[0]["config"] == versions[2]["config"]
    assert {each["path"] for each in versions[1]["changes"]} >= {"strategy.params.long_period"}


def test_s6_11_open_order_when_an_operator_cancels_it_then_it_ends_and_the_portfolio_is_told(cluster: Cluster, node: Process) -> None:
    listed = json.loads(cluster.run("portfolio", "list", "--json").stdout)
    portfolio_id = next(each["portfolio_id"] for each in listed if each["name"] == "To be changed")
    (order,) = cluster.orders(portfolio_id)
    done = cluster.run("order", "cancel", portfolio_id, order)
    assert (done.returncode, done.stdout) == (0, f"Order {order} is cancelled\n"), done.stderr + cluster.logs()
    newest = cluster.wait_snapshot(portfolio_id, lambda s: not s.open_orders, "no open order")
    assert (newest.frozen, newest.closed_orders[-1]["status"]) == (0, "cancelled")


def test_audit_when_all_of_this_has_happened_then_ok_with_exit_0(cluster: Cluster, node: Process) -> None:
    report = cluster.audit()
    assert report["orders"] >= 2
    assert report["fills"] >= 2
    assert report["differences"] == []


@pytest.mark.parametrize("how", ["removed", "doubled", "altered"])
def test_audit_when_a_fill_record_of_this_run_is_spoilt_then_portfolio_code_and_amount_are_named(
    cluster: Cluster, node: Process, how: str
) -> None:
    given = asyncio.run(read_topics(cluster.broker.bootstrap))
    assert audit(given).ok
    place, fill = next((i, message) for i, message in enumerate(map(feedback, given.feedback)) if isinstance(message, m.OrderFilled))
    record = given.feedback[place]
    if how == "removed":
        del given.feedback[place]
        missing = fill.filled_amount
    elif how == "doubled":
        twin = m.encode(msgspec.structs.replace(fill, trade_id="another"))
        given.feedback.append(Raw(record.partition, 1 + max(raw.offset for raw in given.feedback), twin))
        missing = -fill.filled_amount
    else:
        altered = m.encode(msgspec.structs.replace(fill, filled_amount=fill.filled_amount - 0.0001))
        given.feedback[place] = Raw(record.partition, record.offset, altered)
        missing = 0.0001
    report = audit(given)
    assert not report.ok
    place_of = (fill.portfolio_id, fill.code, "bought_amount")
    (amount,) = [d.amount for d in report.differences if (d.portfolio_id, d.code, d.kind) == place_of]
    assert amount == pytest.approx(missing)
    assert {each.portfolio_id for each in report.differences} == {fill.portfolio_id}


def feedback(record: Raw) -> object:
    return m.decode(record.value, m.Feedback)
