"""An order's life: parts, fees, cancel, expiry, memory."""

from __future__ import annotations

import pytest

from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.exchange.book import BrokenOrder, Entry
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.profile import Fees
from tests.unit.domain.exchange.floor import Floor, cancel, kinds, order


def test_s1_4_order_when_part_fills_then_volumes_price_and_fees_of_the_part() -> None:
    floor = Floor()
    floor.submit(order(volume=20_000))
    (fill,) = floor.quote("10:00:03", 10.5, volume=50_000)
    assert (fill.kind, fill.report_seq, fill.code, fill.direction) == ("partially_filled", 2, "000001.SZ", BUY)
    assert (fill.volume, fill.cumulative, fill.remaining) == (5_000, 5_000, 15_000)
    assert (fill.price, fill.amount) == (105_000, 525_000_000)
    assert (fill.commission, fill.stamp_duty, fill.transfer_fee) == (157_500, 0, 5_250)


def test_s1_5a_order_when_the_rest_fills_then_filled_and_the_minimum_commission_counts_once() -> None:
    """Section 3, commission: at least 5 CNY an order, as the exchange charges it."""
    floor = Floor()
    floor.submit(order(volume=1_000, direction=SELL))
    fills = floor.quote("10:00:03", 10.5, volume=4_000) + floor.quote("10:00:06", 10.5, volume=90_000)
    assert kinds(fills) == ["partially_filled", "filled"]
    assert [(fill.volume, fill.cumulative, fill.remaining) for fill in fills] == [(400, 400, 600), (600, 1_000, 0)]
    assert [fill.commission for fill in fills] == [50_000, 0]
    assert [fill.stamp_duty for fill in fills] == [21_000, 31_500]
    assert len({fill.trade_id for fill in fills}) == 2
    assert kinds(floor.cancel(cancel())) == ["ack", "partially_filled", "filled"]  # closed: all it had said, again


def test_trade_ids_when_the_same_order_is_run_twice_then_the_same() -> None:
    """Section 3, simulated exchange: deterministic."""

    def run() -> list[str]:
        floor = Floor()
        floor.submit(order(volume=20_000))
        floor.quote("10:00:03", 10.0)
        floor.quote("10:00:06", 10.0)
        return [report.trade_id for report in floor.reports]

    assert run() == run()


def test_s1_7a_live_order_when_cancelled_then_cancelled_and_never_filled() -> None:
    floor = Floor()
    floor.submit(order())
    (report,) = floor.cancel(cancel(time="10:00:01"))
    assert (report.kind, report.report_seq) == ("cancelled", 2)
    assert floor.dirty == ["o:o1"]
    assert floor.quote("10:00:03", 10.0) == []


def test_s6_10_part_filled_order_when_cancelled_then_the_part_is_kept() -> None:
    floor = Floor()
    floor.submit(order(volume=20_000))
    floor.quote("10:00:03", 10.0)
    (report,) = floor.cancel(cancel())
    assert (report.kind, report.report_seq) == ("cancelled", 3)
    assert kinds(floor.submit(order(volume=20_000))) == ["ack", "partially_filled", "cancelled"]
    assert floor.quote("10:02:00", 10.0) == []


def test_cancel_when_the_order_is_unknown_then_nothing() -> None:
    floor = Floor()
    assert floor.cancel(cancel("nobody")) == []
    assert floor.dirty == []


def test_cancel_when_in_the_opening_auction_then_it_waits_and_the_auction_may_fill_it() -> None:
    """Section 3, sessions: no cancel in the opening auction."""
    floor = Floor(opened=False)
    floor.quote("2026-11-20T15:00:00", 10.0, prev_close=10.0)
    floor.submit(order("kept", volume=30_000, time="09:16:00"))
    assert floor.cancel(cancel("kept", "09:21:00")) == []
    assert floor.dirty == ["o:kept"]
    assert floor.cancel(cancel("kept", "09:22:00")) == []
    assert kinds(floor.quote("09:25:00", 10.0)) == ["partially_filled"]
    assert kinds(floor.clock("09:25:01")) == ["cancelled"]


def test_cancel_when_in_the_closing_auction_then_the_close_ends_the_order() -> None:
    """Section 3, sessions: no cancel in the closing auction."""
    floor = Floor()
    floor.submit(order(limit=9.9))
    assert floor.cancel(cancel(time="14:58:00")) == []
    assert kinds(floor.clock("15:00:01")) == ["expired"]


def test_cancel_when_stamped_at_the_close_for_an_order_of_the_next_day_then_at_once() -> None:
    floor = Floor()
    floor.submit(order(time="15:00:00"))
    assert kinds(floor.cancel(cancel(time="15:00:00"))) == ["cancelled"]


def test_day_order_when_the_clock_passes_the_close_then_expired_at_the_close() -> None:
    """Section 3, simulated exchange: day orders expire at the close."""
    floor = Floor()
    floor.submit(order(limit=9.9))
    floor.submit(order("tomorrow", limit=9.9, time="15:00:00"))
    assert floor.clock("15:00:00") == []
    (report,) = floor.clock("15:00:01")
    assert (report.kind, report.order_id, report.ts) == ("expired", "o1", floor.profile.close_ts(floor.profile.calendar_day(report.ts)))
    assert floor.clock("15:00:02") == []


def test_day_order_when_an_update_of_a_later_day_comes_first_then_expired_not_filled() -> None:
    floor = Floor()
    floor.submit(order(limit=9.9))
    assert kinds(floor.quote("2026-11-24T09:30:00", 9.8, prev_close=10.0)) == ["expired"]


def test_day_order_when_the_last_price_comes_at_the_close_then_it_fills() -> None:
    floor = Floor()
    floor.submit(order(limit=9.9))
    assert kinds(floor.quote("15:00:00", 9.9)) == ["filled"]


def test_closed_order_when_three_trading_days_have_passed_then_forgotten_and_refused_for_good() -> None:
    floor = Floor()
    floor.submit(order())
    floor.quote("10:00:03", 10.0)
    floor.clock("2026-11-26T15:00:00")  # three trading days on
    assert kinds(floor.submit(order())) == ["ack", "filled"]
    floor.clock("2026-11-26T15:00:01")  # belongs to the fourth
    assert floor.dirty == []
    floor.exchange.encode("clock")
    floor.clock("2026-11-26T15:00:02")
    assert floor.dirty == ["o:o1"]
    assert floor.exchange.encode("o:o1") == b""
    first = floor.submit(order())
    assert [(report.kind, report.reason_code, report.report_seq) for report in first] == [("rejected", "too_old", 1)]
    assert floor.dirty == []
    assert floor.submit(order()) == first
    assert floor.exchange.reports() == []


def test_fill_when_it_is_more_than_is_left_then_the_process_must_not_go_on() -> None:
    entry = Entry(order(volume=100), day=1, ready=0)
    with pytest.raises(BrokenOrder, match="200 of 100"):
        entry.fill(200, 10, Fees(), (1, 1))


def test_load_when_a_key_is_none_of_ours_then_refused() -> None:
    with pytest.raises(ValueError, match="'x:1'"):
        Floor().exchange.load("x:1", b"1")


def test_order_for_the_next_day_when_cancelled_the_day_before_then_remembered_from_its_own_day_on() -> None:
    floor = Floor()
    floor.submit(order(time="15:00:00"))
    floor.cancel(cancel(time="15:00:00"))
    for time in ("2026-11-27T10:00:00", "2026-11-27T10:00:01"):  # three trading days after its own day, four after the cancel
        floor.clock(time)
        floor.exchange.encode("clock")
    assert kinds(floor.submit(order(time="15:00:00"))) == ["ack", "cancelled"]


def test_cancel_when_stamped_before_the_last_fill_then_its_report_is_not_older_than_the_fill() -> None:
    floor = Floor()
    floor.submit(order(volume=20_000))
    (fill,) = floor.quote("10:00:03", 10.0)
    (report,) = floor.cancel(cancel(time="10:00:01"))
    assert report.ts == fill.ts


def test_line_when_it_fails_at_every_report_then_they_come_ten_seconds_later_whole_and_in_order() -> None:
    """Section 3, simulated exchange: the disconnect rate."""
    floor = Floor(ExchangeSettings(disconnect_rate=1.0))
    assert floor.submit(order(volume=1_000)) == []
    assert floor.quote("10:00:03", 10.0) == []
    assert floor.clock("10:00:09") == []
    assert kinds(floor.clock("10:00:10")) == ["ack", "filled"]
    assert floor.clock("10:00:30") == []


def test_line_when_the_exchange_is_taken_over_then_all_reports_are_given_again_and_nothing_waits() -> None:
    floor = Floor(ExchangeSettings(disconnect_rate=1.0))
    floor.submit(order())
    floor.quote("10:00:03", 10.0)
    assert kinds(floor.exchange.reports()) == ["ack", "filled"]
    assert floor.clock("10:00:30") == []
