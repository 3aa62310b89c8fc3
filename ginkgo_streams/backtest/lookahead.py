"""Whether a strategy looks ahead: run again on bars that end earlier, and on bars whose future is another, nothing before may change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import numpy as np

from ginkgo_streams.backtest.result import OrderResult, results
from ginkgo_streams.backtest.run import Plan, run
from ginkgo_streams.bars.columns import Bars
from ginkgo_streams.domain.events import CLOSE, HIGH, LOW, OPEN, PREV_CLOSE, PRICE, TS
from ginkgo_streams.messages import iso

CUTS = (0.2, 0.4, 0.6, 0.8, 0.95)
"""Where the bars are cut, as shares of their moments."""
FACTOR = (97, 100)
"""The other future is this much of the real one, last moment first."""

Wish = tuple[str, str, str, int | None, float | None, str]
"""Time, code, side, volume, limit, reason of an order."""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """One test. time: the last bar that was left as it is. missing, extra: orders up to it that are only in the whole run, or only in the
    one on other bars."""

    kind: str
    time: str
    orders: int
    missing: list[Wish]
    extra: list[Wish]

    @property
    def ok(self) -> bool:
        """Whether nothing changed."""
        return not (self.missing or self.extra)


def check(plan: Plan, cuts: Sequence[float] = CUTS, progress: Callable[[int], None] = lambda done: None) -> list[Cut]:
    """The tests of a plan with one portfolio. Raises RunFailed."""
    plan = replace(plan, finalize=False)
    whole = _wishes(plan)
    moments = np.unique(plan.bars.data[TS])
    found: list[Cut] = []
    for share in cuts:
        last = int(moments[min(int(len(moments) * share), len(moments) - 2)])
        for kind, bars in (("truncated", truncated(plan.bars, last)), ("shifted", shifted(plan.bars, last))):
            expected = [wish for ts, wish in whole if ts <= last]
            got = [wish for ts, wish in _wishes(replace(plan, bars=bars)) if ts <= last]
            missing, extra = [w for w in expected if w not in got], [w for w in got if w not in expected]
            found.append(Cut(kind=kind, time=iso(last), orders=len(expected), missing=missing, extra=extra))
            progress(len(found))
    return found


def truncated(bars: Bars, last: int) -> Bars:
    """The bars up to `last`, ms."""
    return bars.select(bars.data[TS] <= last)


def shifted(bars: Bars, last: int) -> Bars:
    """The bars with another future: behind `last`, ms, the prices of each code run backwards and at another level."""
    data = bars.data.copy()
    fields = [OPEN, HIGH, LOW, CLOSE, PRICE]
    for place in range(len(bars.codes)):
        at = np.flatnonzero((bars.code_of == place) & (data[TS] > last))
        for field in fields:
            data[field, at] = np.maximum(data[field, at[::-1]] * FACTOR[0] // FACTOR[1] // 100 * 100, 100)
        data[PREV_CLOSE, at] = 0
    return replace(bars, data=data)


def _wishes(plan: Plan) -> list[tuple[int, Wish]]:
    result = results(plan, machine := run(plan))[0]
    times = {line.order.order_id: line.order.ts for line in machine.journals[plan.portfolios[0].portfolio_id].orders.values()}
    return [(times[order.order_id], _wish(order)) for order in result.orders]


def _wish(order: OrderResult) -> Wish:
    # the volume of an order by value is known when it fills, on the bar behind
    return order.time, order.code, order.side, order.volume if order.limit is not None else None, order.limit, order.reason
