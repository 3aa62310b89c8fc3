"""Placement by hand on real processes: plan, migrate, rebalance, disable, enable, and more portfolios than there is room for."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.apps.cluster import now
from ginkgo_streams.commands import portfolio_command, send_commands_now
from ginkgo_streams.placement_key import mint_portfolio_id, slot_of
from ginkgo_streams.schedule.change import NotSeen, Refused, disable, enable, migrate, rebalance, unpin
from ginkgo_streams.schedule.connection import Connection, connected
from ginkgo_streams.schedule.plan import Plan, read_plan
from ginkgo_streams.topics import ALERTS
from tests.integration.cluster.harness import Cluster, busy_config, until
from tests.integration.cluster.test_processes import CODES, assert_in_order

T = TypeVar("T")
FIRST, SECOND, THIRD = "execution_node_001", "execution_node_002", "execution_node_003"


def ask(cluster: Cluster, question: Callable[[Connection], Awaitable[T]]) -> T:
    async def work() -> T:
        async with connected(cluster.settings) as connection:
            return await question(connection)

    return asyncio.run(work())


def plan(cluster: Cluster) -> Plan:
    return ask(cluster, read_plan)


def create_in(cluster: Cluster, slot: int, seed: int) -> str:
    """A busy portfolio in a slot of our choice, by commands of our own."""
    portfolio_id = mint_portfolio_id({each: int(each != slot) for each in range(cluster.slots)}, cluster.slots)
    params = {"name": f"In slot {slot}", "user_id": "u", "initial_cash": 1_000_000, "config": busy_config(CODES, seed)}
    create = portfolio_command("portfolio.create", portfolio_id, params)
    send_commands_now(cluster.settings, [create, portfolio_command("portfolio.start", portfolio_id)])
    cluster.wait_status(portfolio_id, "running")
    return portfolio_id


def orders(cluster: Cluster, portfolios: list[str]) -> dict[str, int]:
    return {each: len(cluster.orders(each)) for each in portfolios}


def trade_on(cluster: Cluster, portfolios: list[str]) -> None:
    counted = orders(cluster, portfolios)
    until(lambda: all(now > counted[each] for each, now in orders(cluster, portfolios).items()), cluster.logs)


def ok(cluster: Cluster, *arguments: str) -> Any:
    done = cluster.run(*arguments, "--json")
    assert done.returncode == 0, done.stderr + cluster.logs()
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def portfolios(cluster: Cluster) -> list[str]:
    """Two nodes with room for four each; three of the six slots belong to the first, and all six portfolios are in these."""
    cluster.livecore("livecore_001")
    for name in (FIRST, SECOND):
        cluster.node(name, "--max-portfolios", "4")
    mine = ask(cluster, settled)
    return [create_in(cluster, slot, seed) for slot in mine for seed in (slot, slot + 10)]


async def settled(connection: Connection) -> list[int]:
    while True:
        found = await read_plan(connection)
        first = found.node(FIRST)
        if found.settled and first is not None and len(first.slots) == 3:
            return list(first.slots)
        await asyncio.sleep(0.1)


def test_s2_8_uneven_load_when_rebalanced_then_portfolios_move_and_trade_on(cluster: Cluster, portfolios: list[str]) -> None:
    assert {node.node_id: node.portfolios for node in plan(cluster).nodes} == {FIRST: 6, SECOND: 0}
    with cluster.market.trading():
        trade_on(cluster, portfolios)
        done = ok(cluster, "schedule", "rebalance")
        assert 0 < done["seconds"] < 30
        moved = {portfolio_id for each in done["moved"] for portfolio_id in each["portfolio_ids"]}
        assert len(moved) == 2
        found = plan(cluster)
        assert found.settled
        assert {node.node_id: node.portfolios for node in found.nodes} == {FIRST: 4, SECOND: 2}
        cluster.wait_owned(moved, {SECOND})
        trade_on(cluster, portfolios)
    assert plan(cluster).slots == found.slots


def test_s8_1_rebalance_when_all_is_balanced_then_it_says_so_and_nothing_moves(cluster: Cluster, portfolios: list[str]) -> None:
    before = {slot.slot: slot.running_on for slot in plan(cluster).slots}
    done = cluster.run("schedule", "rebalance")
    assert (done.returncode, done.stdout) == (0, "Balanced already: nothing moved\n"), done.stderr
    assert {slot.slot: slot.running_on for slot in plan(cluster).slots} == before


def test_portfolio_when_migrated_then_it_is_seen_there_with_its_slot_pinned_and_the_others_named(
    cluster: Cluster, portfolios: list[str]
) -> None:
    portfolio_id = next(each for each in portfolios if cluster.owner(each) == FIRST)
    slot = slot_of(portfolio_id, cluster.slots)
    neighbours = [each for each in portfolios if each != portfolio_id and slot_of(each, cluster.slots) == slot]
    with cluster.market.trading():
        done = ok(cluster, "schedule", "migrate", portfolio_id, "--to", SECOND)
        assert (done["slot"], done["source"], done["target"], done["along"]) == (slot, FIRST, SECOND, neighbours)
        assert done["seconds"] > 0
        found = plan(cluster).slots[slot]
        assert (found.running_on, found.pinned_to) == (SECOND, SECOND)
        trade_on(cluster, [portfolio_id, *neighbours])
    again = cluster.run("schedule", "migrate", portfolio_id, "--to", SECOND)
    assert again.stdout.startswith(f"Portfolio {portfolio_id} runs on {SECOND} already"), again.stderr


@pytest.mark.parametrize(
    ("portfolio", "node", "why"),
    [("nobody", FIRST, "no node runs a portfolio 'nobody'"), ("", "execution_node_009", "node 'execution_node_009' is not running")],
)
def test_migration_when_impossible_then_it_is_refused_with_the_reason_and_nothing_changes(
    cluster: Cluster, portfolios: list[str], portfolio: str, node: str, why: str
) -> None:
    before = plan(cluster).slots
    with pytest.raises(Refused, match=why):
        ask(cluster, lambda connection: migrate(connection, portfolio or portfolios[0], node))
    assert plan(cluster).slots == before


def test_migrate_command_when_sent_by_anybody_then_it_does_the_same_and_once(cluster: Cluster, portfolios: list[str]) -> None:
    portfolio_id = next(each for each in portfolios if cluster.owner(each) == SECOND)
    target = {"source_node": SECOND, "target_node": FIRST}
    command = m.ControlCommand(
        command_id="migrate-1", command_type="portfolio.migrate", target_id=portfolio_id, params=target, timestamp=now(), issued_by="me"
    )
    send_commands_now(cluster.settings, [command, command])
    cluster.wait_owned([portfolio_id], {FIRST})
    pinned = plan(cluster).slots[slot_of(portfolio_id, cluster.slots)]
    assert (pinned.running_on, pinned.pinned_to) == (FIRST, FIRST)
    refused = m.ControlCommand(
        command_id="migrate-2", command_type="portfolio.migrate", target_id=portfolio_id, params=target, timestamp=now()
    )
    send_commands_now(cluster.settings, [refused])
    until(lambda: any(a.details.get("command_id") == "migrate-2" for a in alerts(cluster, "command_refused")), cluster.logs)
    (alert,) = alerts(cluster, "command_refused")
    assert f"it runs on {FIRST}, not on source_node '{SECOND}'" in alert.message


def test_pins_when_taken_back_then_the_slots_are_free_again(cluster: Cluster, portfolios: list[str]) -> None:
    pinned = tuple(slot.slot for slot in plan(cluster).slots if slot.pinned_to)
    assert pinned
    assert ask(cluster, unpin) == pinned
    assert not any(slot.pinned_to for slot in plan(cluster).slots)
    ask(cluster, rebalance)
    assert {node.portfolios for node in plan(cluster).nodes} == {2, 4}


def test_s3_5_node_when_added_then_the_load_spreads_and_everybody_trades_on(cluster: Cluster, portfolios: list[str]) -> None:
    with cluster.market.trading():
        trade_on(cluster, portfolios)
        third = cluster.node(THIRD, "--max-portfolios", "4")
        until(lambda: {node.portfolios for node in plan(cluster).nodes} == {2}, cluster.logs)
        trade_on(cluster, portfolios)
    # What moves to it stays where it runs until it has a copy.
    claims = [int(line.split(" claimed ")[1].split()[0]) for line in third.lines() if "portfolios: claimed " in line]
    assert claims[0] == 0
    assert claims[-1] == len(plan(cluster).node(THIRD).slots) > 0  # type: ignore[union-attr]


def test_s3_6_node_when_disabled_then_all_moves_away_it_stays_up_idle_and_comes_back_when_enabled(
    cluster: Cluster, portfolios: list[str]
) -> None:
    node = next(process for process in cluster.processes if process.name == SECOND)
    with cluster.market.trading():
        done = ok(cluster, "node", "disable", SECOND, "--reason", "new disk")
        assert {each["source"] for each in done["moved"]} == {SECOND}
        slots = {each["slot"] for each in done["moved"]}
        moved = {portfolio_id for each in done["moved"] for portfolio_id in each["portfolio_ids"]}
        assert moved == {each for each in portfolios if slot_of(each, cluster.slots) in slots}
        assert len(moved) == 2
        listed = {each["node_id"]: each for each in ok(cluster, "node", "list")}
        off = listed[SECOND]
        assert (off["status"], off["portfolios"], off["slots"], off["standbys"]) == ("disabled", 0, [], [])
        assert (off["reason"], bool(off["issued_by"]), bool(off["changed_at"])) == ("new disk", True, True)
        assert node.child.alive
        assert SECOND not in {cluster.owner(each) for each in portfolios}
        trade_on(cluster, portfolios)
        with pytest.raises(Refused, match="is disabled \\(new disk\\)"):
            ask(cluster, lambda connection: migrate(connection, portfolios[0], SECOND))
        back = ask(cluster, lambda connection: enable(connection, SECOND))
        assert {each.target for each in back.moved} == {SECOND}
        trade_on(cluster, portfolios)
    shown = cluster.run("node", "show", SECOND).stdout
    assert f"Node: {SECOND}\nStatus: running\n" in shown


def test_last_enabled_node_when_disabled_then_it_is_refused(cluster: Cluster, portfolios: list[str]) -> None:
    for name in (THIRD, SECOND):
        ask(cluster, lambda connection, name=name: disable(connection, name, "test"))  # type: ignore[misc]
    with pytest.raises(Refused, match="only node that is up and enabled"):
        ask(cluster, lambda connection: disable(connection, FIRST, "test"))
    assert plan(cluster).settled


def test_portfolios_when_more_than_all_capacities_then_an_alert_says_so_and_all_run(cluster: Cluster, portfolios: list[str]) -> None:
    # Six portfolios are on the one node that is enabled, with room for four.
    until(lambda: alerts(cluster, "capacity_exceeded"), cluster.logs)
    (alert,) = alerts(cluster, "capacity_exceeded")
    assert (alert.severity, alert.details) == ("warning", {"portfolios": 6, "capacity": 4, "nodes": [FIRST]})
    with cluster.market.trading():
        trade_on(cluster, portfolios)
    assert {cluster.owner(each) for each in portfolios} == {FIRST}


def test_plan_when_shown_then_nodes_and_slots_are_there_with_standby_lag_and_pin(cluster: Cluster, portfolios: list[str]) -> None:
    for name in (SECOND, THIRD):
        ask(cluster, lambda connection, name=name: enable(connection, name))  # type: ignore[misc]
    ask(cluster, lambda connection: migrate(connection, portfolios[0], THIRD))
    shown = cluster.run("schedule", "plan")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[0].split() == ["NODE", "STATUS", "PORTFOLIOS", "CAPACITY", "SLOTS", "STANDBYS", "SINCE", "WHY"]
    found = ok(cluster, "schedule", "plan")
    slot = found["slots"][slot_of(portfolios[0], cluster.slots)]
    assert (slot["running_on"], slot["pinned_to"], portfolios[0] in slot["portfolio_ids"]) == (THIRD, THIRD, True)
    assert all(len(each["standbys"]) == 1 and each["standbys"][0] != each["node_id"] and each["lag"] >= 0 for each in found["slots"])


def test_decision_when_not_seen_in_time_then_the_answer_says_so_and_not_that_it_is_done(cluster: Cluster, portfolios: list[str]) -> None:
    (stopped,) = [process for process in cluster.processes if process.name == SECOND]
    portfolio_id = next(each for each in portfolios if cluster.owner(each) != SECOND)
    stopped.child.send(signal.SIGSTOP)  # still in the group for its session, and does nothing
    try:
        with pytest.raises(NotSeen, match="was not seen on execution_node_002 within 1 s"):
            ask(cluster, lambda connection: migrate(connection, portfolio_id, SECOND, wait_s=1))
    finally:
        stopped.child.send(signal.SIGCONT)
    cluster.wait_owned([portfolio_id], {SECOND})
    assert cluster.audit()["orders"] > 0  # of all that happened in this file: nothing was lost


def test_s4_3_scheduler_when_the_broker_goes_away_and_comes_back_then_it_sees_nodes_again(cluster: Cluster, portfolios: list[str]) -> None:
    (livecore,) = [process for process in cluster.processes if process.name == "livecore_001"]
    assert_in_order(livecore.lines(), ["[INFO] Starting Scheduler...", "[INFO] Scheduling interval: 1s", "[INFO] LiveCore ready"])
    cluster.broker.kill()
    livecore.wait_for("[WARNING] Scheduler cannot see the nodes, tries again: ")
    cluster.broker.start()
    cluster.node("execution_node_004", "--max-portfolios", "4")
    livecore.wait_for("[INFO] Detected new ExecutionNode: execution_node_004")


def alerts(cluster: Cluster, kind: str) -> list[m.Alert]:
    return [alert for alert in cluster.topics.messages(ALERTS, m.Alert) if alert.alert_type == kind]
