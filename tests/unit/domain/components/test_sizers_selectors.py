"""Sizers and selectors on cases computed by hand, and on real bars."""

from __future__ import annotations

from typing import Any

import pytest
import talib

from ginkgo_streams.domain.events import BUY, SELL
from tests.unit.domain.bars_of_000001 import column, needs_bars
from tests.unit.domain.components.test_risk import DAY, daily, started
from tests.unit.domain.portfolio.desk import CODE, ID, OTHER, PROFILE, Desk, TestStrategy, config, held, quote, ts

THIRD = "300001.SZ"


@pytest.mark.parametrize(("ratio", "volume"), [(0.1, 900), (0.102, 1000), (0.005, 0)])
def test_ratio_by_hand(ratio: float, volume: int) -> None:
    # of 100,000: 10,000 do not pay 1,000 shares at the limit of 10.10 (10,105.10 with fees), 10,200 do; 500 do not pay 100
    orders = Desk(config(sizer="RatioSizer", sizer_params={"ratio": ratio})).signal("10:00:00", 10.0, BUY).orders
    assert [order.volume for order in orders] == ([volume] if volume else [])


def test_ratio_when_shares_are_held_then_counts_them_too() -> None:
    desk = held(config=config(sizer="RatioSizer", sizer_params={"ratio": 0.102}), volume=1000)
    # 10.2 % of the free cash of 89,994.90 pay 900 shares at 10.10; of all, 100,994.90 at a price of 11.00, they pay 1,000
    desk.quote("10:00:00", 11.0)
    assert [order.volume for order in desk.signal("10:00:03", 10.0, BUY, OTHER).orders] == [1000]


def bar(day: int, close: float, high: float, low: float) -> tuple[str, list[int]]:
    return quote(f"2026-11-{day}T15:00:00", close, interval=DAY, high=high, low=low, open=close, volume=1000, prev_close=close)


@pytest.mark.parametrize(("risk", "volume"), [(0.01, 2500), (0.001, 200), (0.9, 9800), (0.0001, 0)])
def test_atr_by_hand(risk: float, volume: int) -> None:
    # true ranges 0.3 and 0.5: the mean is 0.4; 1 % of 100,000 is 1,000: 2,500 shares. At most what 100,000 pays at 10.10: 9,800
    desk = started([], sizer="ATRSizer", sizer_params={"risk_ratio": risk, "period": 2})
    desk.quotes([bar(18, 10.0, 10.9, 9.1)])
    desk.quotes([bar(19, 10.0, 10.2, 9.9)])
    TestStrategy.planned = [(CODE, BUY)]
    orders = desk.quotes([bar(20, 10.0, 10.2, 9.7)]).orders
    assert [order.volume for order in orders] == ([volume] if volume else [])


def test_atr_when_history_is_short_then_buys_nothing() -> None:
    desk = started([], sizer="ATRSizer", sizer_params={"period": 2})
    assert daily(desk, {CODE: [10.0, 10.1]}, direction=BUY).orders == []
    assert desk.view().drops == {"below_lot": 1}


@needs_bars
def test_atr_on_real_bars_then_is_talibs_of_the_window() -> None:
    high, low, close = (column(name)[-15:] for name in ("high", "low", "close"))
    move = talib.ATR(high, low, close, 14)[-1]
    desk = started([], sizer="ATRSizer", sizer_params={"risk_ratio": 0.01, "period": 14})
    day = PROFILE.calendar_day(ts("2026-10-26T15:00:00"))
    for i in range(15):
        day = PROFILE.next_trading_day(day)
        TestStrategy.planned = [(CODE, BUY)] if i == 14 else []
        prices = {"high": high[i], "low": low[i], "open": close[i], "prev_close": close[max(i - 1, 0)]}
        changes = desk.quotes([quote(PROFILE.close_ts(day), close[i], interval=DAY, volume=1, **prices)])
    assert [order.volume for order in changes.orders] == [int(1000 / move) // 100 * 100]


def chosen(selector: str, params: dict[str, Any], closes: dict[str, list[float]], volumes: list[int] | None = None) -> Desk:
    desk = started([], selector={"name": selector, "params": params})
    TestStrategy.asked.clear()
    daily(desk, closes, volumes)
    return desk


CLOSES = {CODE: [10.0, 10.1, 10.2, 10.1], OTHER: [10.0, 10.2, 10.5, 10.4], THIRD: [10.0, 10.3, 10.1, 10.5]}


def test_momentum_selector_by_hand() -> None:
    # on the fourth day the closes before it rose 2 %, 5 % and 1 % over two days; the day's own +4 % of the third does not count
    desk = chosen("MomentumSelector", {"lookback": 2, "top_n": 1}, CLOSES)
    assert TestStrategy.asked == [[OTHER]]  # nobody is known well enough before
    assert desk.portfolio().selected == [OTHER]
    desk = chosen("MomentumSelector", {"lookback": 2, "top_n": 2}, CLOSES)
    assert TestStrategy.asked == [[CODE, OTHER]]


def test_momentum_selector_when_given_codes_then_chooses_from_these() -> None:
    desk = chosen("MomentumSelector", {"lookback": 1, "top_n": 1, "codes": [CODE, THIRD]}, CLOSES)
    assert desk.kernel.interest() == (CODE, THIRD)
    assert TestStrategy.asked == [[THIRD], [CODE]]  # +3 % on the second day; +1 % against -1.9 % on the third


def test_turnover_selector_by_hand() -> None:
    # equal volumes: the amounts of the day before are as the closes
    chosen("TurnoverSelector", {"top_n": 1}, CLOSES)
    assert TestStrategy.asked == [[CODE], [THIRD], [OTHER]]  # of equals the first code
    chosen("TurnoverSelector", {"top_n": 1, "lookback": 2}, CLOSES)
    assert TestStrategy.asked == [[THIRD], [OTHER]]  # 20.3 against 20.2 and 20.1; then 20.7, 20.4, 20.3


def test_selector_when_a_held_code_is_no_longer_chosen_then_it_can_be_sold_and_not_bought() -> None:
    desk = started([], selector={"name": "TurnoverSelector", "params": {"top_n": 1}})
    (order,) = daily(desk, {CODE: [10.0, 9.5], OTHER: [9.0, 9.9]}, direction=BUY).orders  # chosen for the amount of the first day
    desk.fill(order, 9.5, time="2026-11-20T14:59:59")
    assert desk.signal("2026-11-23T10:00:00", 9.5, BUY).orders == []
    assert (desk.portfolio().selected, desk.view().drops) == ([OTHER], {"not_selected": 1})
    assert len(desk.signal("2026-11-23T10:00:03", 9.5, SELL).orders) == 1


def test_selector_when_taken_over_in_mid_day_then_keeps_its_choice() -> None:
    desk = chosen("MomentumSelector", {"lookback": 2, "top_n": 1}, CLOSES)
    desk.kernel.load_portfolio(ID, desk.kernel.encode_portfolio(ID))
    assert desk.portfolio().selected == [OTHER]
    TestStrategy.asked.clear()
    desk.quotes([quote("2026-11-23T10:00:00", 10.0, code, prev_close=10.0) for code in (CODE, OTHER, THIRD)])
    assert TestStrategy.asked == [[OTHER]]  # chosen anew: 10.2 to 10.4 is more than 10.3 to 10.5
