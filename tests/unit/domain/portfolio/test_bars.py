"""Bars made of updates: what is in them, when they are complete, what counts, and that a restart changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ginkgo_streams.domain import admission
from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.bars import FIELDS, Need
from ginkgo_streams.domain.batch import Batch
from ginkgo_streams.domain.ledger import Ledger
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.domain.windows import Windows, chunk_name
from tests.unit.domain.portfolio.desk import CODE, OTHER, PROFILE, Desk, TestStrategy, config, quote, quotes, ts

MINUTE, DAY = 60_000, 86_400_000


class Feed:
    """Windows that keep bars of some intervals, and updates for them."""

    def __init__(self, *intervals: str, length: int = 5) -> None:
        self.windows = Windows()
        for interval in intervals:
            self.windows.want(Need(interval, length, FIELDS))  # type: ignore[arg-type]
        self.batch: Batch | None = None

    def __call__(self, time: str | int, price: float, code: str = CODE, **others: float) -> Batch:
        assert self.offer(time, price, code, **others) == []
        assert self.batch is not None
        return self.batch

    def offer(self, time: str | int, price: float, code: str, **others: float) -> list[admission.Refusal]:
        """An update that may be refused: why it was."""
        given = quotes([quote(time, price, code, **others)])
        rows = np.array([self.windows.row(code)], np.intp)
        taken, bounds, refused = admission.admit(self.windows, PROFILE, rows, given.data, np.zeros(1, np.bool_))
        if len(taken):
            self.batch = admission.take(self.windows, PROFILE, rows, given.data, bounds)
        return refused

    def bars(self, interval: str, field: str = "close", code: str = CODE) -> list[float]:
        """What is complete, in CNY or shares."""
        ring, row = self.windows.bars[interval].rings[field], self.windows.index[code]
        values = ring.last(np.array([row]), int(ring.count[row]))[0].tolist() if ring.count[row] else []
        return [value if field == "volume" else value / 10_000 for value in values]


def bar(feed: Feed, interval: str) -> list[float]:
    """The one bar that is complete: open, high, low, close, volume, amount."""
    found = [feed.bars(interval, field) for field in FIELDS]
    assert all(len(values) == 1 for values in found), found
    return [values[0] for values in found]


def test_minute_bar_when_the_next_minute_begins_then_is_complete() -> None:
    feed = Feed("1m")
    feed("09:59:57", 10.0, volume=100)
    for second, price in (("10:00:03", 10.1), ("10:00:30", 10.3), ("10:01:00", 10.2)):
        batch = feed(second, price, volume=100, open=9.0, high=11.0, low=9.0)  # the day's own are not the minute's
        assert len(batch.at("1m")) == 0
    batch = feed("10:01:03", 10.4, volume=100)  # 10:01:00.000 was still of the minute
    assert batch.at("1m").codes == [CODE]
    assert bar(feed, "1m") == [10.1, 10.3, 10.1, 10.2, 300, 3060.0]
    assert batch.at("1m").closes(1).tolist() == [[102_000]]


def test_bar_that_was_not_seen_from_its_beginning_then_does_not_count() -> None:
    feed = Feed("1m", "5m", "1d")
    for time in ("10:00:30", "10:01:01", "10:05:01", "2026-11-24T10:00:00"):
        feed(time, 10.0)
    assert [len(feed.bars(interval)) for interval in ("1m", "5m", "1d")] == [2, 1, 0]


def test_minute_bars_when_they_fill_five_minutes_then_that_bar_is_complete_at_once() -> None:
    feed = Feed("5m", "1m")
    minutes = [(9.9, 10.0, 10.2), (10.0, 10.1, 10.1), (9.8, 10.0, 10.0), (10, 10, 10), (10, 10.1, 10.4)]
    for minute, (low, price, high) in enumerate(minutes, 1):
        batch = feed(f"10:0{minute}:00", price, low=low, high=high, open=10.0, volume=10, interval=MINUTE)
        assert len(batch.at("1m")) == 1  # a bar of its own length
    assert batch.at("5m").codes == [CODE]
    assert bar(feed, "5m")[:5] == [10.0, 10.4, 9.8, 10.1, 50]


def test_day_of_ticks_when_the_next_day_begins_then_has_the_days_own_high_low_and_open() -> None:
    feed = Feed("1d")
    feed("09:25:00", 10.0, volume=500)  # the auction: no open yet
    feed("09:30:03", 10.1, volume=100, open=10.05, high=10.1, low=10.0)
    feed("14:59:57", 10.2, volume=100, open=10.05, high=10.6, low=9.7)  # between two ticks it was at 10.6 and at 9.7
    assert feed.bars("1d") == []
    batch = feed("2026-11-24T09:30:03", 10.3, volume=100)
    assert batch.at("1d").codes == [CODE]
    assert bar(feed, "1d")[:5] == [10.05, 10.6, 9.7, 10.2, 700]


def test_day_bar_when_it_comes_then_is_complete_at_once_and_never_twice() -> None:
    feed = Feed("1d")
    batch = feed("15:00:00", 10.2, open=10.0, high=10.5, low=9.9, volume=1000, interval=DAY)
    assert batch.at("1d").codes == [CODE]
    assert len(feed("2026-11-24T15:00:00", 10.3, volume=1000, interval=DAY).at("1d")) == 1
    assert feed.bars("1d") == [10.2, 10.3]


def test_day_of_minute_bars_when_the_last_minute_comes_then_is_complete() -> None:
    feed = Feed("1d")
    feed("09:31:00", 10.0, interval=MINUTE, volume=1)  # begins at 09:30: seen from the beginning
    batch = feed("15:00:00", 10.1, interval=MINUTE, volume=1)
    assert (batch.at("1d").codes, feed.bars("1d")) == ([CODE], [10.1])


def test_prices_of_an_update_that_do_not_enclose_it_then_its_price_stands() -> None:
    feed = Feed("1d")
    feed("15:00:00", 10.0, open=12.0, high=9.0, low=11.0, interval=DAY, volume=1)
    assert bar(feed, "1d")[:4] == [10.0, 10.0, 10.0, 10.0]
    feed = Feed("1d")
    feed("15:00:00", 10.0, prev_close=10.0, high=99.0, low=9.5, open=10, interval=DAY, volume=1)  # beyond the day's limit of 11.00
    assert bar(feed, "1d")[:4] == [10.0, 10.0, 10.0, 10.0]


def test_longer_bars_then_do_not_make_shorter_ones() -> None:
    feed = Feed("1m")
    feed("15:00:00", 10.0, interval=DAY)
    feed("2026-11-24T15:00:00", 10.0, interval=DAY)
    assert feed.bars("1m") == []


def account(feed: Feed, time: str) -> Account:
    moment = ts(time)
    days = PROFILE.order_day(moment), moment, PROFILE.trading_day(moment)
    return Account(Portfolio("p", "p", "", {}, Ledger(1, 1), 0, 0), feed.windows, PROFILE, *days)


def test_history_before_today_then_is_the_same_for_ticks_and_bars_and_for_codes_not_seen_yet() -> None:
    ticks, days = Feed("1d"), Feed("1d")
    for code in (CODE, OTHER):
        ticks("09:25:00", 10.0, code)
        ticks("14:59:57", 10.2, code)
        days("15:00:00", 10.2, code, interval=DAY)
    ticks("2026-11-24T10:00:00", 10.4)  # the second code has no tick of the day yet, but its day is over
    days("2026-11-24T15:00:00", 10.4, interval=DAY)
    for feed in (ticks, days):
        found = account(feed, "2026-11-24T10:00:00").universe()
        assert (found.codes, found.last("close", 1).tolist(), found.held().tolist()) == ([CODE, OTHER], [[102_000], [102_000]], [1, 1])
    assert days.batch is not None
    assert days.batch.previous("1d").last("close", 1).tolist() == [[102_000]]  # the bar of today is not among them
    assert days.batch.current("1d", "close").tolist() == [104_000]


def test_history_of_an_account_then_has_a_complete_bar_of_today_and_no_half_one() -> None:
    feed = Feed("1d")
    feed("15:00:00", 10.2, interval=DAY)
    assert account(feed, "15:00:00").bars("1d", [CODE]).last("close", 1).tolist() == [[102_000]]
    feed("2026-11-24T10:00:00", 10.4)
    assert account(feed, "2026-11-24T10:00:00").bars("1d", [CODE, "none.SZ"]).last("close", 1).tolist() == [[102_000]]


def test_what_nobody_declared_then_is_refused_by_name() -> None:
    feed = Feed("1m", length=3)
    batch = feed("10:00:00", 10.0)
    with pytest.raises(ValueError, match="4 values of 'close' of 1m bars are asked for, 3 are kept"):
        batch.previous("1m").last("close", 4)
    with pytest.raises(ValueError, match="no 1d bars are kept"):
        batch.previous("1d")
    with pytest.raises(ValueError, match="'volume'"):
        batch.last("volume", 1)


def test_strategy_of_minutes_when_a_minute_ends_then_is_asked_for_it_alone() -> None:
    TestStrategy.interval = "1m"  # type: ignore[attr-defined]
    try:
        desk = Desk()
        TestStrategy.asked.clear()
        desk.quotes([quote("10:00:03", 10.0), quote("10:00:03", 10.0, OTHER)])
        assert TestStrategy.asked == []  # the minute before was not seen from its beginning
        desk.quotes([quote("10:00:57", 10.0), quote("10:01:01", 10.0, OTHER)])
        assert TestStrategy.asked == [[OTHER]]
    finally:
        del TestStrategy.interval  # type: ignore[attr-defined]


def test_trend_of_days_when_fed_with_ticks_then_trades_on_the_next_day() -> None:
    params = {"short_period": 1, "long_period": 2, "interval": "1d"}
    desk = Desk(config(strategy="TrendFollowStrategy", params=params, codes=[CODE]), opened=False)
    desk.create("p1")
    desk.command("portfolio.start", time="2026-11-16T09:00:00")
    orders: list[Any] = []
    for day, price in enumerate([10.0, 10.0, 9.9, 10.2, 10.2], 16):  # closes 10.0 10.0 9.9 10.2: above their mean of two on the 19th
        for time in ("09:25:00", "10:00:00", "14:59:57"):
            orders += [(day, time, order.direction) for order in desk.quote(f"2026-11-{day}T{time}", price).orders]
    assert orders == [(20, "09:25:00", 1)]


STEPS = st.lists(st.tuples(st.sampled_from([CODE, OTHER]), st.integers(1, 4_000_000), st.integers(-30, 30), st.booleans()), max_size=40)


@given(STEPS, st.integers(0, 40))
@example([(CODE, 60_000, 0, False), *[(OTHER, 60_000, -28, False)] * 4, (CODE, 60_000, 0, False)], 5)  # beyond the limits of CODE
@settings(max_examples=150, deadline=None)
def test_windows_when_made_durable_and_loaded_at_any_point_then_go_on_as_if_nothing_was(
    steps: list[tuple[str, int, int, bool]], cut: int
) -> None:
    whole, parted = Feed("1m", "5m", "1d", "tick"), Feed("1m", "5m", "1d", "tick")
    moment, price = ts("09:25:00"), 1000
    for number, (code, later, move, is_bar) in enumerate(steps):
        moment, price = moment + later, price + move
        if not PROFILE.open_mask(np.array([moment]))[0]:
            moment = PROFILE.session_open_ts(PROFILE.next_trading_day(PROFILE.calendar_day(moment))) + later % 1000
        if number == cut:
            successor = Feed("1m", "5m", "1d", "tick")
            for name in sorted({chunk_name(each) for each in parted.windows.codes}):
                successor.windows.load(name, parted.windows.encode(name))
            parted = successor
        offered = [feed.offer(moment, price / 100, code, volume=number, interval=MINUTE if is_bar else 0) for feed in (whole, parted)]
        assert offered[0] == offered[1]  # a price beyond the day's limits
    for code in whole.windows.codes:
        if code in parted.windows.index:
            assert parted.windows.encode(chunk_name(code)) == whole.windows.encode(chunk_name(code))
