"""Stretches of moments in which nothing can happen, so that a run may pass over them at once.

A strategy that offers `prospects` says beforehand at which moments it could signal. Where no order is open and no risk manager has
to look at what is held, the moments up to the next of these change nothing but the windows and the last prices, and all that is
in between is given to them in one go. The result is the same to the byte (a test holds it). What is not plain is driven moment by moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.backtest.bars import Bars
from ginkgo_streams.domain import events as e
from ginkgo_streams.domain.component import Foreseeing
from ginkgo_streams.domain.config import Kit
from ginkgo_streams.domain.events import Quotes
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.domain.portfolios import Portfolios

CODES = 16
"""Codes up to which it pays: of many, one has a prospect at nearly every moment."""


@dataclass(frozen=True, slots=True)
class _Prospects:
    """Of one portfolio and code: the moments, ascending, at which its strategy could buy or sell."""

    portfolio_id: str
    code: str
    enter: NDArray[np.intp]
    leave: NDArray[np.intp]


class Stretches:
    """Where the stretches of some bars end. Made by `stretches`."""

    def __init__(self, bars: Bars, edges: NDArray[np.intp], prospects: list[_Prospects]) -> None:
        self._codes = bars.codes
        self._data = bars.data
        self._count = len(bars.codes)
        self._edges = edges
        self._prospects = prospects

    def end(self, portfolios: Portfolios, moment: int) -> int:
        """The first moment from `moment` on at which something could happen; `moment` itself where it could at once."""
        if not portfolios.calm():
            return moment
        ends = [_next(self._edges, moment)]
        for each in self._prospects:
            held = each.code in portfolios.portfolios[each.portfolio_id].ledger.positions
            ends.append(_next(each.leave if held else each.enter, moment))
        return min(ends)

    def between(self, start: int, end: int) -> tuple[NDArray[np.int64], Quotes]:
        """Of moments start to end - 1: the closes of all but the last, int64 of shape (end - start - 1, codes), and the last's quotes."""
        n = self._count
        closes = self._data[e.PRICE, start * n : (end - 1) * n].reshape(-1, n)
        return closes, Quotes(self._codes, self._data[:, (end - 1) * n : end * n])


def stretches(bars: Bars, days: NDArray[np.int64], portfolios: Portfolios, profile: Profile) -> Stretches | None:
    """The stretches of bars, or None where they have to be driven moment by moment: prospects do not speak of shorts, and a short may ruin
    its portfolio at any price. days: the trading day of each moment."""
    count = len(bars.codes)
    running = [(p, portfolios.kit(p.portfolio_id)) for p in portfolios.portfolios.values()]
    if profile.short_selling:
        return None
    if bars.actions or count > CODES or len(bars) != len(days) * count or not all(_foreseen(p, kit) for p, kit in running):
        return None
    if not _plain(bars, days, profile):
        return None
    turns = np.flatnonzero(np.diff(days)) + 1
    edges = np.unique(np.concatenate(([0], turns - 1, turns, [len(days) - 1])))
    closes = bars.data[e.PRICE].reshape(-1, count)
    found: list[_Prospects] = []
    for portfolio, kit in running:
        assert kit is not None
        assert isinstance(kit.strategy, Foreseeing)
        for place, code in enumerate(bars.codes):
            if kit.codes is None or code in kit.codes:
                enter, leave = kit.strategy.prospects(closes[:, place])
                found.append(_Prospects(portfolio.portfolio_id, code, np.flatnonzero(enter), np.flatnonzero(leave)))
    return Stretches(bars, edges, found)


def _foreseen(portfolio: Portfolio, kit: Kit | None) -> bool:
    """Whether all that a portfolio can do at a price is in its strategy's prospects, while it holds nothing that is watched."""
    return (
        portfolio.status == "running" and kit is not None and _foresees(type(kit.strategy)) and kit.interval == "tick"
        and kit.select is None and not kit.watching and all(need.interval == "tick" and need.fields == ("close",) for need in kit.needs)
    )  # fmt: skip


def _foresees(strategy: type) -> bool:
    """Whether a strategy has prospects, and they are of its own signals: a subclass that signals otherwise has none."""
    owner = {name: next((cls for cls in strategy.__mro__ if name in vars(cls)), None) for name in ("signals", "prospects")}
    signals, prospects = owner["signals"], owner["prospects"]
    return prospects is not None and signals is not None and issubclass(prospects, signals)


def _plain(bars: Bars, days: NDArray[np.int64], profile: Profile) -> bool:
    """Whether every bar will be taken by portfolios and exchange, with one previous close a day: nothing is passed over unjudged."""
    count = len(bars.codes)
    shape = (len(days), count)
    data = bars.data
    price, given = data[e.PRICE].reshape(shape), data[e.PREV_CLOSE].reshape(shape)
    if not profile.open_mask(data[e.TS]).all() or not (price > 0).all():
        return False
    first = np.concatenate(([True], np.diff(days) > 0))
    of_day = np.maximum.accumulate(np.where(first, np.arange(len(days)), 0))
    if not (given == given[of_day]).all():
        return False
    before = np.concatenate((np.zeros((1, count), np.int64), price[:-1]))
    prev = np.where(given[of_day] > 0, given[of_day], before[of_day])
    classes = np.tile(np.array([profile.limit_class(code) for code in bars.codes], np.int64), len(days))
    low, high = (x.reshape(shape) for x in profile.limit_columns(classes, prev.reshape(-1), np.repeat(days, count)))
    if ((high > 0) & ((price < low) | (price > high))).any():
        return False
    opening = first[:, None] & (given > 0)
    reference = np.where(opening, given, before)
    jump = (reference > 0) & (np.abs(price - reference) * 100 > reference * profile.max_jump) & ~(opening & (high > 0))
    return not (profile.max_jump and jump.any())


def _next(ascending: NDArray[np.intp], moment: int) -> int:
    place = int(np.searchsorted(ascending, moment))
    return int(ascending[place]) if place < len(ascending) else 1 << 62
