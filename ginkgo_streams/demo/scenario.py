"""What the demo trades: a dozen codes with prices, and portfolios that differ in their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from ginkgo_streams.portfolios.create import NewPortfolio

PRICES: Mapping[str, str] = {
    "000001.SZ": "11.50", "000333.SZ": "75.00", "000651.SZ": "41.00", "002415.SZ": "30.00", "300059.SZ": "22.00", "300750.SZ": "260.00",
    "600000.SH": "12.00", "600030.SH": "27.00", "600036.SH": "42.00", "600276.SH": "60.00", "600900.SH": "28.00", "601318.SH": "55.00",
}  # fmt: skip
"""Code to CNY, the close before the first simulated day: main boards and ChiNext, at about the size of their real prices."""

MARKET_PARTITIONS = 2
"""Of the market data topic. A dozen codes need no more, and a message costs the same whatever is in it."""

MAX_SIGNAL_AGE = 60.0
"""Seconds of event time, 0.4 wall seconds at the default speed: the 5 s of others are over before a busy machine's process is woken."""

INITIAL_CASH = Decimal(1_000_000)

_AVERAGES = ((3, 8), (5, 20), (20, 80))


def portfolio(number: int, codes: Sequence[str]) -> NewPortfolio:
    """The number-th portfolio, from 0. The first three have averages of 3/8, 5/20 and 20/80 updates; each further one slower ones."""
    short, long = _AVERAGES[number] if number < len(_AVERAGES) else (5 + number, 10 * number)
    step = number % 3
    config = {
        "strategy": {"name": "TrendFollowStrategy", "params": {"short_period": short, "long_period": long}},
        "risk_managements": [
            {"name": "PositionRatioRisk", "params": {"max_position_ratio": 0.2, "max_total_position_ratio": 0.8}},
            {"name": "LossLimitRisk", "params": {"loss_limit": 2.0 + step}},
        ],
        "sizer": {"name": "FixedAmountSizer", "params": {"amount": 40_000 + 20_000 * step}},
        "selector": {"name": "FixedSelector", "params": {"codes": list(codes)}},
        "max_signal_age": MAX_SIGNAL_AGE,
    }
    return NewPortfolio(f"Trend {short}/{long}", "demo", INITIAL_CASH, config)
