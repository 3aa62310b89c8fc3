"""Properties of short selling: the books add up, exposure is covered, and what was earned is what the value has grown by."""

from __future__ import annotations

from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ginkgo_streams.backtest.machine import Machine, RunFailed
from ginkgo_streams.domain.events import FIELDS, Quotes
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.generic import generic
from ginkgo_streams.domain.market.sessions import DAY_MS
from ginkgo_streams.domain.portfolio import Portfolio

CODES = ("X", "Y", "Z")
CASH = 1_000_000_000
"""Units."""

SIZERS: list[tuple[str, dict[str, Any]]] = [
    ("AllInSizer", {}), ("FixedVolumeSizer", {"volume": 3_000}), ("RatioSizer", {"ratio": 0.4}), ("FixedAmountSizer", {"amount": 30_000}),
]  # fmt: skip
RISKS: list[list[dict[str, Any]]] = [
    [],
    [{"name": "PositionRatioRisk", "params": {"max_position_ratio": 0.5, "max_total_position_ratio": 0.7}}],
    [{"name": "LossLimitRisk", "params": {"loss_limit": 5.0}}, {"name": "ProfitTargetRisk", "params": {"partial_ratio": 0.5}}],
]


def bars(seed: int, count: int, spread: float) -> list[Quotes]:
    """A random walk of each code, a bar a day."""
    rng = np.random.default_rng(seed)
    last = np.array([100_000, 55_555, 20_001])
    found = []
    for day in range(1, count + 1):
        data = np.zeros((len(FIELDS), len(CODES)), np.int64)
        first, close = (np.maximum((last * (1 + rng.uniform(-spread, spread, 3))).astype(np.int64), 1) for _ in range(2))
        of: dict[str, Any] = {"ts": day * DAY_MS, "seq": -1, "price": close, "close": close, "open": first,
              "high": np.maximum(first, close), "low": np.minimum(first, close),
              "volume": rng.integers(100, 20_000, 3), "interval": DAY_MS}  # fmt: skip
        for name, values in of.items():
            data[FIELDS.index(name)] = values
        found.append(Quotes(CODES, data))
        last = close
    return found


def exposure(machine: Machine, portfolio: Portfolio) -> tuple[int, int]:
    """Gross exposure, with what open orders may add, and the total value: by the books and the last prices alone."""
    ledger = portfolio.ledger
    values = {code: p.volume * machine.price(code) for code, p in ledger.positions.items()}
    gross = sum(values.values()) + sum(order.frozen for order in portfolio.open_orders.values() if order.opens)
    owed = sum(value for code, value in values.items() if ledger.positions[code].short)
    return gross, ledger.cash + ledger.frozen + sum(values.values()) - 2 * owed


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6), st.sampled_from(SIZERS), st.sampled_from(RISKS), st.sampled_from([inf, 0.5]), st.sampled_from([0.02, 0.1]),
    st.sampled_from([(Fraction(0), 0), (Fraction(1, 1000), 50_000)]),
)  # fmt: skip
@example(1_000_000, SIZERS[0], RISKS[0], inf, 0.02, (Fraction(1, 1000), 50_000))  # the sale of a few shares beside buys that take all cash
def test_books_when_signals_are_random_and_short_selling_is_on_then_they_add_up_and_exposure_is_covered(
    seed: int, sizer: tuple[str, dict[str, Any]], risks: list[dict[str, Any]], participation: float, spread: float,
    fees: tuple[Fraction, int],
) -> None:  # fmt: skip
    machine = Machine(generic(1, *fees, short_selling=True), ExchangeSettings(participation=participation))
    config = {
        "strategy": {"name": "RandomSignalStrategy", "params": {"seed": seed, "probability": 0.4}},
        "sizer": {"name": sizer[0], "params": sizer[1]}, "risk_managements": risks,
    }  # fmt: skip
    machine.create("p", "p", CASH // 10_000, config, DAY_MS - 1)
    portfolio, journal = machine.portfolios.portfolios["p"], machine.journals["p"]
    for quotes in bars(seed, 60, spread):
        made = portfolio.order_count
        try:
            machine.quotes(quotes)
        except RunFailed as error:
            if "its shorts have lost all" not in str(error):  # ruin is the only way to end
                raise
            break
        portfolio.check()
        gross, value = exposure(machine, portfolio)
        opened = any(order.opens for order in list(portfolio.open_orders.values())[-(portfolio.order_count - made) or None :])
        assert not (portfolio.order_count > made and opened) or gross <= value
    ledger = portfolio.ledger
    paid = sum(f.report.direction * f.report.amount + f.report.commission for f in journal.fills)
    assert ledger.cash + ledger.frozen == CASH - paid
    owned: dict[str, int] = {}
    for fill in journal.fills:
        owned[fill.report.code] = owned.get(fill.report.code, 0) + fill.report.direction * fill.report.volume
    held = {code: -p.volume if p.short else p.volume for code, p in ledger.positions.items()}
    assert held == {code: volume for code, volume in owned.items() if volume}
    basis = sum(each.cost for each in journal._basis.values())
    assert ledger.cash + ledger.frozen - CASH == sum(f.profit for f in journal.fills) - basis
    assert all(fill.profit == 0 for fill in journal.fills if (fill.report.direction > 0) != fill.short)
