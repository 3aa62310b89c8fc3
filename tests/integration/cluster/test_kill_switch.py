"""Scenarios 4.1, 4.2 and 8.2 on real processes: `ginkgo engine` stops and starts a node and a livecore, and a kill -9 changes nothing."""

from __future__ import annotations

import json
from typing import Any

from ginkgo_streams import messages as m
from tests.integration.cluster.harness import Cluster, until

PING_AN, VANKE = "000001.SZ", "000002.SZ"


def said(cluster: Cluster, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and JSON of `ginkgo engine`."""
    done = cluster.run("engine", *arguments, "--json")
    assert done.stdout, done.stderr + cluster.logs()
    answer: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, answer


def test_s4_2_s8_2_engine_stop_with_open_orders_ends_them_within_30_s_and_outlives_kill_9_until_started_again(cluster: Cluster) -> None:
    livecore, node = cluster.livecore(), cluster.node()
    portfolio_id = cluster.create("Stopped", [PING_AN])
    cluster.wait_status(portfolio_id, "running")
    order = cluster.buy(portfolio_id, PING_AN)

    status, answer = said(cluster, "stop", "--reason", "wrong prices", "--by", "wang")
    assert (status, answer["done"], answer["ended"], answer["waiting"]) == (0, True, 1, []), answer
    assert answer["seconds"] < 30
    kinds = [type(report) for report in cluster.reports(portfolio_id) if report.order_id == order.order_id]
    assert kinds == [m.OrderAck, m.OrderCancelled]
    cluster.wait_snapshot(portfolio_id, lambda s: s.frozen == 0 and not s.open_orders, "nothing frozen")

    for process in (livecore, node):
        process.kill()
    cluster.livecore("livecore_002")
    cluster.node("execution_node_002")
    cluster.wait_owned([portfolio_id], ["execution_node_002"])
    cluster.market.cross_up(PING_AN)
    until(
        lambda: any(isinstance(r, m.OrderRejected) and r.reason_code == "halted" for r in cluster.reports(portfolio_id)),
        lambda: f"a refused order; there are {cluster.reports(portfolio_id)}\n{cluster.logs()}",
    )
    status, found = said(cluster, "status")
    assert (status, found["state"]) == (0, "halted")
    (engine,) = found["targets"]
    assert (engine["issued_by"], engine["reason"], engine["stopped"], engine["confirmed"]) == ("wang", "wrong prices", True, True)

    status, answer = said(cluster, "start")
    assert (status, answer["state"]) == (0, "started"), answer
    cluster.buy(portfolio_id, PING_AN)
    cluster.audit()


def test_engine_stop_of_a_portfolio_then_only_its_orders_end_and_status_says_so(cluster: Cluster) -> None:
    cluster.only("livecore_001", "execution_node_001")
    stopped, other = cluster.create("Stopped alone", [PING_AN]), cluster.create("Trades on", [PING_AN])
    for each in (stopped, other):
        cluster.wait_status(each, "running")
    cluster.buy(stopped, PING_AN)
    until(lambda: cluster.orders(other), lambda: f"an order of {other}\n{cluster.logs()}")

    done = cluster.run("engine", "stop", "--portfolio", stopped, "--mode", "reduce", "--reason", "too large", "--by", "li")
    assert done.returncode == 0, done.stderr
    assert f"Trading of {stopped} stopped (reduce)" in done.stdout
    assert "1 open orders ended, the exchange has confirmed" in done.stdout
    cluster.wait_snapshot(stopped, lambda s: not s.open_orders, "no open order")
    found = cluster.snapshot(other)
    assert found is not None
    assert len(found.open_orders) == 1

    status, seen = said(cluster, "status")
    target = next(each for each in seen["targets"] if each["target"] == stopped)
    assert (status, seen["state"]) == (0, "running")
    assert (target["mode"], target["issued_by"], target["ended"], target["confirmed"]) == ("reduce", "li", 1, True)
    shown = cluster.run("engine", "status").stdout
    assert any(all(word in line for word in (stopped, "stopped (reduce)", "li", "too large")) for line in shown.splitlines()), shown
    assert "Engine: running" in shown

    status, answer = said(cluster, "start", "--portfolio", stopped)
    assert (status, answer["state"], answer["target"]) == (0, "started", stopped)


def test_engine_stop_of_a_code_then_its_orders_are_refused_and_those_of_others_taken(cluster: Cluster) -> None:
    cluster.only("livecore_001", "execution_node_001")
    portfolio_id = cluster.create("Two codes", [PING_AN, VANKE])
    cluster.wait_status(portfolio_id, "running")
    status, answer = said(cluster, "stop", "--code", PING_AN)
    assert (status, answer["target"], answer["done"]) == (0, PING_AN, True)

    cluster.market.cross_up(PING_AN)

    def refused() -> set[str]:
        rejected = [r for r in cluster.reports(portfolio_id) if isinstance(r, m.OrderRejected) and r.reason_code == "halted"]
        return {cluster.orders(portfolio_id)[r.order_id].code for r in rejected}

    until(lambda: refused() == {PING_AN}, lambda: f"a refusal of {PING_AN} alone; it is {refused()}\n{cluster.logs()}")
    cluster.buy(portfolio_id, VANKE)
    assert refused() == {PING_AN}
    assert said(cluster, "start", "--code", PING_AN)[0] == 0


def test_engine_stop_without_a_livecore_then_exit_1_at_once_and_it_takes_effect_when_one_is_up(cluster: Cluster) -> None:
    cluster.only("execution_node_001")
    portfolio_id = cluster.create("Waits", [PING_AN])
    done = cluster.run("engine", "stop", "--portfolio", portfolio_id)
    assert (done.returncode, done.stdout) == (1, "")
    assert "No livecore is running" in done.stderr
    assert "Traceback" not in done.stderr

    cluster.only("livecore_001", "execution_node_001")

    def confirmed() -> bool:
        targets = said(cluster, "status")[1]["targets"]
        return any(each["target"] == portfolio_id and each["stopped"] and each["confirmed"] for each in targets)

    until(confirmed, lambda: f"the stop is confirmed\n{cluster.logs()}")
    assert said(cluster, "start", "--portfolio", portfolio_id)[0] == 0
