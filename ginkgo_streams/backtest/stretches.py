"""Bars that were judged beforehand, and among them stretches in which nothing can happen: what a run need not do at each moment.

Where every bar will be admitted (`_plain`) nobody has to ask again at each of them. And strategies and risk managers may say where they
could do something (`prospects` and its like in `domain/component.py`): where no order is open, the moments up to the next of these,
within a day, change nothing but the windows, and are given to them in one go with the moment that has to be seen. The result
is the same to the byte (a test holds it). What is not plain is driven and judged moment by moment.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.bars.columns import Bars
from ginkgo_streams.domain import events as e
from ginkgo_streams.domain import memos
from ginkgo_streams.domain.component import Foreseeing, ForeseeingForce, ForeseeingWatch
from ginkgo_streams.domain.config import Kit
from ginkgo_streams.domain.events import Quotes
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.domain.portfolios import Portfolios
from ginkgo_streams.domain.trading import held_at

CODES = 16
"""Codes up to which it pays: of many, one has a prospect at nearly every moment."""


@dataclass(frozen=True, slots=True)
class _Foreseen:
    """A portfolio, its components, and of each code (with its place) the moments, ascending, at which its strategy could buy or sell."""

    portfolio: Portfolio
    kit: Kit
    prospects: list[tuple[str, list[int], list[int]]]


class Stretches:
    """The bars of a run, and where their stretches end. Made by `stretches`."""

    def __init__(self, bars: Bars, profile: Profile, edges: list[int], foreseen: list[_Foreseen] | None) -> None:
        """edges: moments, ascending, that are seen whatever happens, the last among them. foreseen: None where a portfolio is not."""
        self._codes = bars.codes
        self._data = bars.data
        self._profile = profile
        self._edges = edges
        self._foreseen = foreseen
        self._ts, self._prices = (bars.data[field].reshape(-1, len(bars.codes)) for field in (e.TS, e.PRICE))

    def end(self, moment: int) -> int:
        """The first moment from `moment` on at which something could happen."""
        if self._foreseen is None or any(each.portfolio.open_orders for each in self._foreseen):
            return moment
        end = self._edges[bisect_left(self._edges, moment)]
        for each in self._foreseen:
            positions = each.portfolio.ledger.positions
            for code, enter, leave in each.prospects:
                prospects = leave if code in positions else enter
                place = bisect_left(prospects, moment)
                if place < len(prospects) and prospects[place] < end:
                    end = prospects[place]
            if positions and end > moment and (each.kit.forcing or each.kit.watching):
                end = self._unmoved(each, moment, end)
        return end

    def _unmoved(self, of: _Foreseen, moment: int, end: int) -> int:
        """The first moment from `moment` on, or `end`, at which a risk manager has to look at what is held."""
        ledger = of.portfolio.ledger
        values = np.full(end - moment, ledger.cash, np.int64)
        found = np.zeros(end - moment, np.bool_)
        for code, position in ledger.positions.items():
            prices = self._prices[moment:end, self._codes.index(code)]
            values += prices * position.volume
            held = held_at(self._profile, code, position, int(prices[0]), int(self._ts[moment, 0]))
            if held.available > 0:
                for key, _, risk in of.kit.forcing:
                    found |= cast(ForeseeingForce, risk).force_prospects(held, prices, memos.recall(of.portfolio, key, code))
        for key, _, risk in of.kit.watching:
            found |= cast(ForeseeingWatch, risk).watch_prospects(values, memos.recall(of.portfolio, key))
        return moment + int(found.argmax()) if found.any() else end

    def seen(self, moment: int) -> Quotes:
        """The prices of a moment."""
        n = len(self._codes)
        return Quotes(self._codes, self._data[:, moment * n : (moment + 1) * n])

    def between(self, start: int, end: int) -> NDArray[np.int64]:
        """The prices of moments start to end - 1: int64 of shape (len(FIELDS), end - start, codes)."""
        n = len(self._codes)
        return self._data[:, start * n : end * n].reshape(len(self._data), end - start, n)


def stretches(bars: Bars, days: NDArray[np.int64], portfolios: Portfolios, profile: Profile) -> Stretches | None:
    """The stretches of bars, or None where they have to be judged moment by moment: prospects do not speak of shorts, and a short may ruin
    its portfolio at any price. days: the trading day of each moment."""
    count = len(bars.codes)
    if profile.short_selling:
        return None
    if bars.actions or count > CODES or len(bars) != len(days) * count or not _plain(bars, days, profile):
        return None
    edges = _edges(days, profile)
    foreseen: list[_Foreseen] = []
    for portfolio in portfolios.portfolios.values():
        kit = portfolios.kit(portfolio.portfolio_id)
        if portfolio.status != "running" or kit is None or not _all_foreseen(kit):
            return Stretches(bars, profile, edges, None)
        prospects = []
        for place, code in enumerate(bars.codes):
            if kit.codes is None or code in kit.codes:
                closes, volumes = (np.ascontiguousarray(bars.data[field, place::count]) for field in (e.PRICE, e.VOLUME))
                enter, leave = cast(Foreseeing, kit.strategy).prospects(closes, volumes)
                prospects.append((code, np.flatnonzero(enter).tolist(), np.flatnonzero(leave).tolist()))
        foreseen.append(_Foreseen(portfolio, kit, prospects))
    return Stretches(bars, profile, edges, foreseen)


def _edges(days: NDArray[np.int64], profile: Profile) -> list[int]:
    """The last moment of each day, at which it may end; the first of all, and of days in front of which the market traded without a bar:
    with them the day before ends."""
    turns = (np.flatnonzero(np.diff(days)) + 1).tolist()
    late = [turn for turn in turns if profile.order_day(profile.close_ts(int(days[turn - 1])) + 1) != days[turn]]
    return sorted({0, len(days) - 1, *(turn - 1 for turn in turns), *late})


def _all_foreseen(kit: Kit) -> bool:
    """Whether all that a portfolio can do at a price is in the prospects of its strategy and risk managers."""
    foreseen = _foresees(kit.strategy, "signals", "prospects") and kit.interval == "tick" and kit.select is None
    foreseen = foreseen and all(need.interval == "tick" for need in kit.needs)
    foreseen = foreseen and all(_foresees(risk, "force", "force_prospects") for _, _, risk in kit.forcing)
    return foreseen and all(_foresees(risk, "watch", "watch_prospects") for _, _, risk in kit.watching)


def _foresees(component: object, method: str, prospects: str) -> bool:
    """Whether a component has prospects, and they are of its own method: a subclass that does otherwise has none."""
    owners = [next((cls for cls in type(component).__mro__ if name in vars(cls)), None) for name in (method, prospects)]
    return owners[0] is not None and owners[1] is not None and issubclass(owners[1], owners[0])


def _plain(bars: Bars, days: NDArray[np.int64], profile: Profile) -> bool:
    """Whether every bar will be taken by portfolios and exchange, with one previous close a day: nothing is passed over unjudged."""
    count = len(bars.codes)
    shape = (len(days), count)
    data = bars.data
    price, given = data[e.PRICE].reshape(shape), data[e.PREV_CLOSE].reshape(shape)
    if not profile.open_mask(data[e.TS]).all() or not (price > 0).all() or not data[e.INTERVAL].all():
        return False
    first = np.concatenate(([True], np.diff(days) > 0))
    firsts, of_day = np.flatnonzero(first), np.cumsum(first) - 1
    if not (given == given[firsts][of_day]).all():
        return False
    before = np.concatenate((np.zeros((1, count), np.int64), price[:-1]))
    prev = np.where(given[firsts] > 0, given[firsts], before[firsts])
    classes = np.tile(np.array([profile.limit_class(code) for code in bars.codes], np.int64), len(firsts))
    limits = profile.limit_columns(classes, prev.reshape(-1), np.repeat(days[firsts], count))
    low, high = (each.reshape(prev.shape)[of_day] for each in limits)
    if ((high > 0) & ((price < low) | (price > high))).any():
        return False
    opening = first[:, None] & (given > 0)
    reference = np.where(opening, given, before)
    jump = (reference > 0) & (np.abs(price - reference) * 100 > reference * profile.max_jump) & ~(opening & (high > 0))
    return not (profile.max_jump and jump.any())
