"""At what price, how much, and in which turn orders fill."""

from __future__ import annotations

import pytest

from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.generic import generic
from tests.unit.domain.exchange.floor import Floor, kinds, order, units

DAY, FIVE = 86_400_000, 300_000


@pytest.mark.parametrize(
    ("direction", "limit", "update", "price"),
    [
        (BUY, 0, {"bid": 9.98, "ask": 10.02}, 10.02),
        (SELL, 0, {"bid": 9.98, "ask": 10.02}, 9.98),
        (BUY, 0, {}, 10.0),
        (BUY, 10.05, {"ask": 10.02}, 10.02),
        (BUY, 10.02, {"ask": 10.02}, 10.02),
        (BUY, 10.01, {"ask": 10.02}, None),  # the last price is at the limit, the ask is not
        (BUY, 10.0, {}, 10.0),
        (BUY, 9.99, {}, None),
        (SELL, 9.95, {"bid": 9.98}, 9.98),
        (SELL, 10.0, {"bid": 9.98}, None),
        (SELL, 10.01, {}, None),
    ],
)
def test_tick_when_the_market_reaches_an_order_then_it_fills_at_the_better_price(
    direction: int, limit: float, update: dict[str, float], price: float | None
) -> None:
    """Section 3, simulated exchange: a market order fills at ask or bid, a limit order when the market reaches it."""
    floor = Floor()
    floor.submit(order(limit=limit, direction=direction))
    reports = floor.quote("10:00:03", 10.0, **update)
    assert [report.price for report in reports] == ([] if price is None else [units(price)])


@pytest.mark.parametrize(
    ("direction", "limit", "price"),
    [
        (BUY, 0, 10.0),
        (SELL, 0, 10.0),
        (BUY, 10.1, 10.0),
        (BUY, 9.9, 9.9),
        (BUY, 9.8, 9.8),
        (BUY, 9.79, None),
        (SELL, 9.9, 10.0),
        (SELL, 10.3, 10.3),
        (SELL, 10.31, None),
    ],
)
def test_bar_when_it_began_after_the_order_then_open_or_limit(direction: int, limit: float, price: float | None) -> None:
    """Section 3, simulated exchange: the same on a bar."""
    floor = Floor()
    floor.submit(order(limit=limit, direction=direction))
    reports = floor.quote("10:05:00", 10.2, open=10.0, high=10.3, low=9.8, interval=FIVE)
    assert [report.price for report in reports] == ([] if price is None else [units(price)])


@pytest.mark.parametrize(("time", "filled"), [("10:00:00", []), ("09:59:59", []), ("10:00:00.001", ["filled"])])
def test_tick_when_not_later_than_the_order_then_no_fill(time: str, filled: list[str]) -> None:
    floor = Floor()
    floor.submit(order(time="10:00:00"))
    assert kinds(floor.quote(time, 10.0)) == filled


def test_bar_when_the_order_came_within_it_then_no_fill_before_the_next() -> None:
    floor = Floor()
    floor.submit(order(time="10:00:01"))
    assert floor.quote("10:05:00", 10.0, open=10.0, interval=FIVE) == []
    assert kinds(floor.quote("10:10:00", 10.0, open=10.0, interval=FIVE)) == ["filled"]


def test_day_bar_when_the_order_is_of_that_day_before_the_session_then_it_fills_and_within_it_does_not() -> None:
    floor = Floor(opened=False)
    floor.quote("2026-11-20T15:00:00", 10.0, prev_close=10.0, interval=DAY)
    floor.submit(order("late", time="2026-11-20T15:00:00"))
    floor.submit(order("early", time="2026-11-23T09:00:00"))
    floor.submit(order("within", time="2026-11-23T09:30:00"))
    reports = floor.quote("15:00:00", 10.2, open=10.1, prev_close=10.0, interval=DAY)
    assert [(report.order_id, report.price) for report in reports] == [("late", 101_000), ("early", 101_000)]


def test_s9_3_tick_at_limit_up_when_buying_then_no_fill_and_a_sell_fills() -> None:
    """Section 3, simulated exchange: at limit up there is nothing to buy."""
    floor = Floor()
    floor.submit(order("buy", time="10:00:00"))
    floor.submit(order("buy at limit", limit=11.0, time="09:28:00"))
    floor.submit(order("sell", direction=SELL))
    reports = floor.quote("10:00:03", 11.0, bid=11.0)
    assert [(report.order_id, report.price) for report in reports] == [("sell", 110_000)]
    assert [report.order_id for report in floor.quote("10:00:06", 10.99, bid=10.98, ask=10.99)] == ["buy", "buy at limit"]


def test_s9_3_tick_at_limit_down_when_selling_then_no_fill_and_a_buy_fills() -> None:
    """Section 3, simulated exchange: at limit down nobody to sell to."""
    floor = Floor()
    floor.submit(order("sell", direction=SELL))
    floor.submit(order("buy"))
    assert [report.order_id for report in floor.quote("10:00:03", 9.0, ask=9.0)] == ["buy"]


def test_s9_3_tick_at_limit_up_when_its_ask_is_stale_then_no_fill() -> None:
    floor = Floor()
    floor.submit(order())
    assert floor.quote("10:00:03", 11.0, ask=10.99) == []


def test_s9_3_bar_when_it_opens_at_limit_up_then_a_buy_fills_only_below_it() -> None:
    floor = Floor()
    floor.submit(order("market"))
    floor.submit(order("at", limit=11.0, time="09:28:00"))
    floor.submit(order("below", limit=10.9, time="09:28:00"))
    reports = floor.quote("10:05:00", 10.9, open=11.0, high=11.0, low=10.8, interval=FIVE)
    assert [(report.order_id, report.price) for report in reports] == [("below", 109_000)]


@pytest.mark.parametrize(
    ("direction", "price", "slippage", "filled"),
    [(BUY, 10.0, 0.001, 10.01), (BUY, 10.0, 0.0011, 10.02), (SELL, 10.0, 0.0011, 9.98), (BUY, 10.95, 0.01, 11.0), (SELL, 9.05, 0.01, 9.0)],
)
def test_slippage_when_set_then_market_orders_fill_worse_by_ticks_within_the_limits(
    direction: int, price: float, slippage: float, filled: float
) -> None:
    """Section 3, simulated exchange: slippage of market orders."""
    floor = Floor(ExchangeSettings(slippage_rate=slippage))
    floor.submit(order(direction=direction))
    assert [report.price for report in floor.quote("10:00:03", price)] == [units(filled)]


def test_participation_when_an_update_is_small_then_all_orders_together_take_its_part_in_turn() -> None:
    """Section 3, simulated exchange: participation, large orders fill in parts."""
    floor = Floor()
    floor.submit(order("late", volume=800, time="09:59:59"))
    floor.submit(order("limit", volume=800, limit=10.0, time="09:59:58"))
    floor.submit(order("early", volume=1_200, time="09:59:58"))
    floor.submit(order("sell", volume=300, direction=SELL, time="09:59:59"))
    reports = floor.quote("10:00:03", 10.0, volume=18_000)
    assert [(report.order_id, report.volume) for report in reports] == [("sell", 300), ("early", 1_200), ("late", 300)]
    reports = floor.quote("10:00:06", 10.0, volume=10_000)
    assert [(report.order_id, report.volume) for report in reports] == [("late", 500), ("limit", 500)]


def test_participation_when_less_than_a_lot_is_free_then_what_there_is() -> None:
    floor = Floor()
    floor.submit(order(volume=200))
    assert [report.volume for report in floor.quote("10:00:03", 10.0, volume=1_990)] == [100]
    assert [report.volume for report in floor.quote("10:00:06", 10.0, volume=370)] == [37]
    assert [report.volume for report in floor.quote("10:00:09", 10.0, volume=0)] == []
    assert [report.volume for report in floor.quote("10:00:12", 10.0, volume=100_000)] == [63]


@pytest.mark.parametrize(
    "update",
    [
        ("10:00:03", 0.0, {}),
        ("10:00:03", 11.01, {}),
        ("10:00:03", 8.99, {}),
        ("11:30:00.001", 10.0, {}),
        ("15:00:00.001", 10.0, {}),
        ("2026-11-22T10:00:00", 10.0, {}),
    ],
)
def test_s9_4_update_when_out_of_session_or_limits_then_passed_over(update: tuple[str, float, dict[str, float]]) -> None:
    """Section 3, sessions: prices outside of them move nothing."""
    floor = Floor()
    floor.submit(order())
    time, price, others = update
    before = floor.exchange.touched()
    assert floor.quote(time, price, **others) == []
    assert floor.exchange.touched() == before


def test_update_when_repeated_or_older_then_passed_over() -> None:
    floor = Floor()
    floor.submit(order(volume=30_000))
    assert len(floor.quote("10:00:03", 10.0, seq=7)) == 1
    assert floor.quote("10:00:03", 10.0, seq=7) == []
    assert floor.quote("10:00:02", 10.0, seq=9) == []
    assert len(floor.quote("10:00:03", 10.0, seq=8)) == 1


def test_previous_close_when_the_data_has_none_then_the_last_price_and_a_gap_lifts_it() -> None:
    floor = Floor()
    floor.quote("2026-11-24T09:30:00", 10.5)
    assert floor.submit(order("a", limit=11.01, time="2026-11-24T09:28:00"))[0].reason_code == "price_limit"
    floor.quote("2026-11-25T09:30:00", 5.0)  # ten for ten: no price of the day before says anything
    assert kinds(floor.submit(order("b", time="2026-11-25T09:30:00"))) == ["ack"]
    assert [report.price for report in floor.quote("2026-11-25T09:30:03", 5.1)] == [51_000]


def test_generic_when_no_rule_holds_then_single_shares_fill_on_any_day() -> None:
    floor = Floor(profile=generic())
    floor.submit(order(volume=7, limit=10.00015, time="2026-11-22T03:00:00"))
    floor.clock("2026-11-29T00:00:00")  # orders have no close there
    assert [report.volume for report in floor.quote("2026-11-29T03:00:00", 10.0, volume=30)] == [3]
    assert [report.kind for report in floor.quote("2026-11-29T03:00:01", 10.0)] == ["filled"]
