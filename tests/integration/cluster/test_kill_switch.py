"""Scenarios 4.1, 4.2 and 8.2 on real processes: `ginkgo engine` stops and starts a node and a livecore, and a kill -9 changes nothing."""

from __future__ import annotations

import json
from typing import Any

from ginkgo_streams import messages as m
from tests.integration.cluster.harness import Cluster, until

PING_AN = "000001.SZ"


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
