"""Check, sizer and fill take the same fees, whatever each process was configured with."""

from __future__ import annotations

from fractions import Fraction

from ginkgo_streams import messages as m
from ginkgo_streams.apps.exchange_rules import profile_of
from ginkgo_streams.config import Settings
from ginkgo_streams.domain.events import BUY
from tests.integration.cluster.harness import Cluster, until

PING_AN = "000001.SZ"
BROKERS = """brokers:
  dear:
    type: simulation
    commission_rate: 0.002
    min_commission: 20
"""
DEAR = Settings.model_validate(
    {"brokers": {"dear": {"type": "simulation", "commission_rate": "0.002", "min_commission": 20}}, "livecore": {"broker_type": "dear"}}
)


def test_livecore_with_a_broker_that_nodes_are_not_configured_with_then_they_freeze_what_it_takes(cluster: Cluster) -> None:
    node = cluster.node()
    home = cluster.folder / "home-livecore_001"
    home.mkdir()
    (home / "brokers.yml").write_text(BROKERS)
    cluster.livecore("livecore_001", "--broker-type", "dear")
    node.wait_for("[WARNING] Commission of the broker is 0.002 of the amount, at least 20 CNY an order, says livecore_001 (broker dear)")

    portfolio_id = cluster.create("Dear", [PING_AN])
    cluster.wait_status(portfolio_id, "running")
    order = cluster.buy(portfolio_id, PING_AN)
    profile = profile_of(DEAR)
    assert order.price is not None
    amount = m.units(order.price) * order.volume
    fees = profile.fees(BUY, amount, cluster.market.day, PING_AN)
    assert fees.commission == Fraction(2, 1_000) * amount  # above the minimum: what is frozen tells the rate
    cluster.wait_snapshot(portfolio_id, lambda s: s.frozen == (amount + fees.total) / 10_000, f"{amount} and {fees} frozen")

    cluster.market.step(volume=1_000_000)
    filled = until(lambda: [r for r in cluster.reports(portfolio_id) if isinstance(r, m.OrderFilled)], cluster.logs)
    paid = m.units(filled[0].filled_price) * filled[0].filled_volume
    assert m.units(filled[0].commission) == profile.fees(BUY, paid, cluster.market.day, PING_AN).commission
    cluster.audit()
