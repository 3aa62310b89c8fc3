"""`faust -A ginkgo worker` and `faust -A ginkgo.livecore worker` are the same two processes; livecore's feed: scenario 4.4."""

from __future__ import annotations

import sys

from ginkgo_streams import messages as m
from ginkgo_streams.topics import MARKET_DATA, TICKS
from tests.integration.cluster.harness import Cluster, until

CODES = {"000001.SZ", "600000.SH"}


def test_s4_4_data_when_started_by_faust_then_source_producer_and_interest_work_and_portfolios_trade(cluster: Cluster) -> None:
    faust = [sys.executable, "-m", "faust", "-A"]
    livecore = cluster.start(
        "livecore_001", *faust, "ginkgo.livecore", "worker", "-l", "info", NODE_ID="livecore_001",
        GINKGO_LIVECORE__DATA_SOURCE="simulation", GINKGO_LIVECORE__CODES=",".join(sorted(CODES)), GINKGO_LIVECORE__SPEED="20",
    )  # fmt: skip
    node = cluster.start("execution_node_009", *faust, "ginkgo", "worker", "-l", "info", NODE_ID="execution_node_009")
    livecore.wait_for("Subscribing to market data: Simulation")
    livecore.wait_for("LiveCore ready")
    node.wait_for("ExecutionNode ready, processing events...")

    def fed() -> set[str]:
        updates = [u for record in cluster.topics.records(MARKET_DATA) for u in m.decode_market(record.value)]
        return {u.code for u in updates if isinstance(u, m.PriceUpdate)}

    until(lambda: fed() == CODES, cluster.logs)
    assert cluster.topics.records(TICKS) == []  # nobody is interested yet
    portfolio_id = cluster.create("By faust", ["000001.SZ"], busy=1)
    assert cluster.wait_status(portfolio_id, "running").node_id == "execution_node_009"
    cluster.wait_snapshot(portfolio_id, lambda s: s.fills > 0, "a fill")
    ticks = [(record.partition, m.decode_ticks(record.value)) for record in cluster.topics.records(TICKS)]
    assert {slot for slot, _ in ticks} == {cluster.slot(portfolio_id)}
    assert {code for _, each in ticks for code in each.codes} == {"000001.SZ"}
    assert livecore.stop() == 0, livecore.text()  # first: an order that fills behind the node's end would be booked by the next node
    assert cluster.audit()["fills"] > 0
    assert node.stop() == 0, node.text()
    for process in (node, livecore):
        assert "Traceback" not in process.text()
