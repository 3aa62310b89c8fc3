"""A strategy tried on a few bars, without portfolio, exchange or server: for the tests of its author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ginkgo_streams.domain import admission
from ginkgo_streams.domain import events as e
from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.bars import SPANS, BarInterval, Need
from ginkgo_streams.domain.component import Signal, Strategy
from ginkgo_streams.domain.ledger import Ledger, Position
from ginkgo_streams.domain.market.generic import generic
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.domain.windows import Windows

START = 1_767_225_600_000
"""2026-01-01 UTC, ms: where the bars begin."""


class Bar(NamedTuple):
    """Prices in CNY, volume in shares."""

    open: float
    high: float
    low: float
    close: float
    volume: int = 100_000


def try_strategy(
    strategy: Strategy, bars: Mapping[str, Sequence[float | Bar]], *, held: Mapping[str, int] | None = None, length: BarInterval = "1d"
) -> list[tuple[int, Signal]]:
    """What a strategy says at each of a few bars: (number of the bar from 0, signal), in order.

    bars: the bars of each code, all of one length, one after the other; a number is a bar that stands still at that close. held:
    shares held all the time, bought at the first close. Signals are not traded. Raises what the strategy raises.
    """
    counts = {code: len(each) for code, each in bars.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"codes have different numbers of bars: {counts}")
    windows, profile, span = Windows(), generic(), SPANS[length]
    windows.want(Need(getattr(strategy, "interval", "tick"), strategy.history()))
    windows.want_all(strategy.needs() if hasattr(strategy, "needs") else ())
    codes = list(bars)
    rows = np.array([windows.row(code) for code in codes], np.intp)
    positions = {code: Position(volume, volume * _values(bars[code][0], 0, 0)[e.PRICE]) for code, volume in (held or {}).items()}
    portfolio = Portfolio("trial", "trial", "", {}, Ledger(10**10, 10**10, positions=positions), 0, 0)
    state: dict[str, Any] = {}
    found: list[tuple[int, Signal]] = []
    for number in range(counts[codes[0]]):
        ts = START + (number + 1) * span
        data = np.array([_values(bars[code][number], ts, span) for code in codes], np.int64).T
        day = profile.trading_day(ts)
        windows.newest = ts
        bounds = np.zeros((4, len(codes)), np.int64)
        bounds[2] = day
        batch = admission.take(windows, profile, rows, data, bounds).at(getattr(strategy, "interval", "tick"))
        if len(batch):
            account = Account(portfolio, windows, profile, profile.order_day(ts), ts, day)
            found += [(number, signal) for signal in strategy.signals(batch, account, state)]
    return found


def _values(bar: float | Bar, ts: int, span: int) -> list[int]:
    given = bar if isinstance(bar, Bar) else Bar(bar, bar, bar, bar)
    first, high, low, close = (round(price * e.UNIT) for price in given[:4])
    values = dict.fromkeys(e.FIELDS, 0) | {
        "ts": ts, "seq": -1, "price": close, "volume": given.volume, "interval": span,
        "open": first, "high": high, "low": low, "close": close,
    }  # fmt: skip
    return [values[name] for name in e.FIELDS]
