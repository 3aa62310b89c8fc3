"""The real bars of 000001.SZ from first to last day through the whole pipeline, with moving averages of 5 and 20 days."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.bars.load import Source, load_bars
from ginkgo_streams.domain.market.cn import cn
from ginkgo_streams.feeds.replay import replay
from ginkgo_streams.sessions import trading_calendar
from tests.scenarios.harness import CODE, PID, Pipeline, config

BARS = Path(__file__).parents[2].parent / "shared" / "data" / "000001.SZ.daily.csv"
TREND: tuple[str, Any] = ("TrendFollowStrategy", {"short_period": 5, "long_period": 20})

pytestmark = pytest.mark.skipif(not BARS.exists(), reason=f"there are no bars at {BARS}")


def run() -> Pipeline:
    """Every bar of the file in lockstep: the next one comes when nothing is on its way any more."""
    pipeline = Pipeline(profile=cn(trading_calendar()))
    steps = list(replay(load_bars(Source(bars=BARS), cn(trading_calendar()))))
    risks = [("PositionRatioRisk", {"max_position_ratio": 0.9, "max_total_position_ratio": 0.9})]
    sizer = {"name": "FixedAmountSizer", "params": {"amount": 50_000}}
    pipeline.create(config(*TREND, risks=risks, sizer=sizer, codes=[CODE]), time="2015-01-05T09:00:00")
    for number, step in enumerate(steps):
        pipeline.send(*step.updates, settle=False, clock=False)
        pipeline.clock(step.time_ms)
        if number % 500 == 0:
            pipeline.checkpoint()
    pipeline.clock(steps[-1].time_ms + 86_400_000)
    return pipeline


def test_real_bars_when_replayed_from_first_to_last_day_then_the_books_are_right_and_a_second_run_gives_the_same() -> None:
    first = run()
    report = first.audit()
    assert report.differences == []
    assert (report.pending, report.unreadable, report.fenced) == (0, 0, 0)
    orders = {order.order_id: order for order in first.orders()}
    fills = [each for each in first.reports() if isinstance(each, (m.OrderFilled, m.OrderPartiallyFilled))]
    assert report.orders == len(orders) > 100
    assert report.fills == len(fills) > 90
    for fill in fills:  # never on the bar that the signal came from
        assert m.ms(fill.timestamp) > m.ms(orders[fill.order_id].timestamp)
    ends = Counter(kind for order_id in orders for kind in [first.kinds(order_id)[-1]])
    assert set(ends) <= {"order_filled", "order_expired", "order_rejected"}
    snapshot = first.snapshot()
    assert (snapshot.status, snapshot.error) == ("running", "")
    assert first.dead() == []

    second = run()
    assert second.audit() == report
    again = second.snapshot()
    assert (again.cash, again.ledger, again.positions, again.drops) == (snapshot.cash, snapshot.ledger, snapshot.positions, snapshot.drops)
    assert [m.encode(order) for order in second.orders()] == [m.encode(order) for order in first.orders()]
    assert [m.encode(each) for each in second.reports()] == [m.encode(each) for each in first.reports()]
    assert len(first.portfolio(PID).history) > 0
