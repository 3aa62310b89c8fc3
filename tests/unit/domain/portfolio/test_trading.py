"""From price to order: the scenarios of the kernel, by number."""

from __future__ import annotations

import pytest

from ginkgo_streams.domain.config import validate_config
from ginkgo_streams.domain.events import BUY, SELL
from tests.unit.domain.portfolio.desk import CODE, ID, OTHER, PROFILE, REGISTRY, Desk, Json, TestStrategy, config, held, quote, ts, units

TREND = {"short_period": 1, "long_period": 2}


def trend(**given: object) -> Desk:
    """Averages of 1 and 2 updates: a golden cross is the first rise, a death cross the first fall."""
    return Desk(config(strategy="TrendFollowStrategy", params=TREND, **given))  # type: ignore[arg-type]


def test_s1_2_cross_on_a_tick_gives_a_sized_and_risked_order() -> None:
    desk = trend(risks=[("PositionRatioRisk", {})], sizer="FixedAmountSizer", sizer_params={"amount": 10_000})
    desk.quote("10:00:00", 10.0)
    changes = desk.quote("10:00:03", 10.1)
    (order,) = changes.orders
    assert (order.direction, order.volume, order.limit) == (BUY, 900, units(10.21))  # 10.201 up to the tick; 900 × 10.21 + fees <= 10,000
    assert changes.dirty == [ID]
    assert desk.texts() == [
        f"Signal generated: BUY {CODE}, volume=900", f"Order submitted: {order.order_id}, BUY {CODE}, volume=900",
    ]  # fmt: skip


def test_s1_3_order_is_repeated_under_its_id_until_it_is_answered() -> None:
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    assert (order.portfolio_id, order.code, order.ts, order.reason) == (ID, CODE, ts("10:00:00"), "TestStrategy: planned")
    assert desk.kernel.outstanding().orders == [order]
    again = Desk()
    assert again.signal("10:00:00", 10.0, BUY).orders == [order]  # the same history gives the same id


def test_s1_4_partial_fill_books_volume_cost_and_cash() -> None:
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    frozen = units(10.1 * 1000) + PROFILE.fees(BUY, units(10.1 * 1000), desk.portfolio().day, CODE).total
    assert desk.view().frozen == frozen
    desk.report(order, "ack")
    assert desk.portfolio().open_orders[order.order_id].status == "acknowledged"
    desk.fill(order, 10.0, 400)
    view = desk.view()
    assert desk.portfolio().open_orders[order.order_id].status == "partially_filled"
    assert (view.positions[0].volume, view.positions[0].cost_price) == (400, units(10.0))
    assert view.fees == units(5) + units(0.04)  # the minimum commission, and 0.001 % transfer fee
    assert view.cash + view.frozen == units(100_000 - 4_000 - 5.04)
    assert view.total_value == units(100_000 - 5.04)
    assert desk.texts() == [
        f"Order filled: {order.order_id}, volume=400, price=10.00",
        f"Portfolio updated: cash={view.cash / 10_000:.2f}, position_value=4000.00",
    ]  # fmt: skip


def test_s1_5a_rest_fills_and_the_final_numbers_are_those_of_one_order() -> None:
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    desk.fill(order, 10.0, 400)
    desk.fill(order, 10.05)
    view = desk.view()
    assert view.frozen == 0
    assert desk.portfolio().closed_orders[0].status == "filled"
    # 4,000 + 6,030 = 10,030; commission 5 once (0.03 % is 3.009), transfer fee 0.04 + 0.0603
    assert view.cash == units(100_000 - 10_030 - 5) - 400 - 603
    assert view.positions[0].cost == units(10_030)


def test_worked_case_buy_1000_at_10_50_costs_10505_105() -> None:
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.5, BUY).orders
    desk.fill(order, 10.5)
    assert units(100_000) - desk.view().cash == 105_051_050
    assert desk.texts()[-1] == "Portfolio updated: cash=89494.90, position_value=10500.00"


def test_worked_case_sell_1000_at_11_nets_10989_39() -> None:
    desk = held(price=10.5)
    before = desk.view().cash
    (order,) = desk.signal("10:00:00", 11.0, SELL).orders
    desk.fill(order, 11.0)
    assert desk.view().cash - before == 109_893_900
    assert desk.view().positions == []


def test_s1_6a_rejected_order_moves_nothing_and_its_reason_is_kept() -> None:
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    desk.report(order, "rejected", reason_code="SUSPENDED", message="the code is suspended")
    view = desk.view()
    assert (view.cash, view.frozen, view.positions) == (units(100_000), 0, [])
    assert desk.portfolio().closed_orders[0].reason == "SUSPENDED: the code is suspended"
    assert desk.alerts() == ["order_rejected"]


def test_s1_7a_cancelled_order_is_asked_for_and_ends() -> None:
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    changes = desk.command("order.cancel", order_id=order.order_id, time="10:01:00")
    assert [cancel.order_id for cancel in changes.cancels] == [order.order_id]
    assert desk.view().frozen > 0  # nothing is given back before the exchange says so
    assert desk.kernel.outstanding().cancels == changes.cancels
    desk.report(order, "cancelled")
    assert (desk.view().cash, desk.view().frozen) == (units(100_000), 0)


def test_s1_8a_close_of_the_day_writes_one_row_and_frees_the_shares() -> None:
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    desk.fill(order, 10.0)
    desk.quote("14:59:57", 10.5)
    assert desk.view().positions[0].available == 0
    changes = desk.clock("15:00:00")
    (row,) = desk.view().history
    fees = units(5) + units(0.1)
    assert (row.total_value, row.daily_pnl, row.position_count) == (units(100_500) - fees, units(500) - fees, 1)
    assert changes.dirty == [ID]
    assert desk.texts()[0].startswith("Day end 2026-11-23: cash=89994.90, total_value=100494.90, daily_pnl=494.90, positions=1")
    assert desk.view().positions[0].available == 1000
    assert desk.clock("15:00:01").dirty == []
    assert len(desk.view().history) == 1


def test_close_price_behind_the_clock_that_ended_the_day_corrects_the_row() -> None:
    desk = held()
    desk.clock("15:00:00")
    desk.quote("15:00:00", 10.4)
    assert [row.daily_pnl for row in desk.view().history][-1] == units(400)
    assert len(desk.view().history) == 2


def test_day_without_a_clock_ends_with_the_prices_it_had() -> None:
    desk = Desk(ticking=False)
    desk.quote("2026-11-24T10:00:00", 10.9, prev_close=10.0)
    assert [row.daily_pnl for row in desk.view().history] == [0]


def test_s1_5_rule_met_gives_a_signal() -> None:
    desk = trend()
    desk.quote("10:00:00", 10.0)
    assert len(desk.quote("10:00:03", 10.1).orders) == 1


def test_s1_6_golden_cross_buys_with_its_reason() -> None:
    desk = trend()
    desk.quote("10:00:00", 10.0)
    (order,) = desk.quote("10:00:03", 10.1).orders
    assert (order.direction, order.reason) == (BUY, "TrendFollowStrategy: golden cross 1/2")


def test_s1_7_death_cross_sells_what_is_available_and_no_more() -> None:
    desk = held()
    desk.portfolio().config = config(strategy="TrendFollowStrategy", params=TREND)
    value = desk.kernel.encode_portfolio(ID)
    desk.kernel.load_portfolio(ID, value)
    for time, price in (("10:00:00", 10.0), ("10:00:03", 10.0), ("10:00:06", 9.9)):
        changes = desk.quote(time, price)
    (order,) = changes.orders
    assert (order.direction, order.volume, order.limit) == (SELL, 1000, units(9.80))  # 9.801 down to the tick
    assert order.reason == "TrendFollowStrategy: death cross 1/2"


def test_s1_8_buy_and_sell_of_one_code_the_sell_stands() -> None:
    desk = held()
    TestStrategy.planned = [(CODE, BUY), (CODE, SELL)]
    (order,) = desk.quote("10:00:00", 10.0).orders
    assert order.direction == SELL
    assert desk.view().drops == {"sell_stands": 1}


def test_s1_8_risk_overrides_the_strategy() -> None:
    desk = held(config=config(risks=[("LossLimitRisk", {"loss_limit": 5.0})]))
    (order,) = desk.signal("10:00:00", 9.4, SELL).orders
    assert order.reason.startswith("LossLimitRisk: loss of 6.00 %")
    assert desk.view().drops == {"risk_overrides": 1}


def test_s1_9_flat_market_changes_nothing() -> None:
    desk = trend()
    for second in range(3):
        desk.quote(f"10:00:0{second}", 10.0)
    before = desk.kernel.encode_portfolio(ID)
    changes = desk.quote("10:00:05", 10.0)
    assert (changes.dirty, changes.orders, changes.alerts, changes.notes) == ([], [], [], [])
    assert desk.kernel.touched_portfolios() == []
    assert desk.kernel.encode_portfolio(ID) == before


def test_s1_10_order_over_the_limit_is_vetoed() -> None:
    desk = held(900, config=config(risks=[("PositionRatioRisk", {"max_position_ratio": 0.1})]))
    changes = desk.signal("10:00:00", 10.5, BUY)
    assert changes.orders == []
    assert desk.alerts() == ["risk_triggered"]
    assert desk.view().drops == {"risk:PositionRatioRisk": 1}


def test_s1_11_order_partly_over_the_limit_is_cut() -> None:
    desk = Desk(config(risks=[("PositionRatioRisk", {"max_position_ratio": 0.2})], sizer_params={"volume": 5000}))
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    assert order.volume == 1900  # 20,000 CNY at 10.10
    assert desk.alerts() == ["risk_triggered"]


def test_s1_12_loss_over_ten_percent_sells_by_risk() -> None:
    desk = held(config=config(risks=[("LossLimitRisk", {"loss_limit": 9.5})]))
    assert desk.quote("10:00:00", 9.06).orders == []
    (order,) = desk.quote("10:00:03", 9.05).orders
    assert (order.direction, order.volume) == (SELL, 1000)
    assert desk.alerts() == ["risk_triggered"]


@pytest.mark.parametrize(
    ("price", "reason"),
    [(0.0, "not_positive"), (-1.0, "not_positive"), (11.01, "limits"), (8.99, "limits")],
)
def test_s1_13_bad_price_is_refused_with_an_alert(price: float, reason: str) -> None:
    desk = Desk()
    TestStrategy.asked.clear()
    changes = desk.quote("10:00:00", price)
    assert [alert.details["reason"] for alert in changes.alerts] == [reason]
    assert desk.alerts() == ["data_anomaly"]
    assert TestStrategy.asked == []  # the strategy never sees it
    assert desk.kernel.refused == {reason: 1}


def test_s1_13_price_from_the_future_is_refused() -> None:
    desk = Desk(ticking=False)
    desk.clock("10:00:00")
    assert [a.details["reason"] for a in desk.quote("10:00:05.001", 10.0).alerts] == ["future"]
    assert desk.quote("10:00:05", 10.0).alerts == []


def test_s1_13_jump_is_accepted_once_three_refusals_agree() -> None:
    desk = Desk(opened=False)
    desk.create(ID)
    desk.command("portfolio.start")
    desk.quote("09:59:57", 10.4, "688001.SH", prev_close=13.0)  # limit down of a 20 % board
    answers = [[a.details["reason"] for a in desk.quote(f"10:00:0{i}", 13.0 + i / 100, "688001.SH").alerts] for i in range(5)]
    assert answers == [["jump"], ["jump"], ["jump"], [], []]


@pytest.mark.parametrize(
    ("code", "close", "price"),
    [("920002.BJ", 10.0, 13.0), ("920002.BJ", 10.0, 7.0), ("300750.SZ", 1.03, 1.24), ("688001.SH", 1.03, 0.82)],
)
def test_first_price_of_a_day_when_within_the_limits_of_its_board_then_it_is_no_jump(code: str, close: float, price: float) -> None:
    desk = Desk(opened=False)
    desk.create(ID)
    desk.command("portfolio.start")
    desk.quote("14:59:57", close, code, prev_close=close)
    assert desk.quote("2026-11-24T10:00:00", price, code, prev_close=close).alerts == []
    later = desk.quote("2026-11-24T10:00:03", price * 0.7 if price > close else price * 1.3, code).alerts
    assert [a.details["reason"] for a in later] == ["jump"]  # from the last price of the same day it is one


def test_refusals_that_do_not_agree_never_count_together() -> None:
    desk = Desk()
    for i, price in enumerate((13.0, 14.0, 15.0, 16.0, 17.0, 18.0)):
        assert desk.quote(f"10:00:0{i}", price).alerts


def test_refused_update_delivered_twice_counts_once() -> None:
    desk = Desk()
    for _ in range(6):
        desk.quote("10:00:00", 13.0)
    assert desk.kernel.refused == {"limits": 1, "duplicate": 5}


def test_s1_14_signal_older_than_five_seconds_is_dropped() -> None:
    desk = Desk()
    TestStrategy.age_ms = 5_001
    assert desk.signal("10:00:00", 10.0, BUY).orders == []
    assert desk.view().drops == {"stale": 1}
    TestStrategy.age_ms = 5_000
    assert len(desk.signal("10:00:03", 10.0, BUY).orders) == 1


def test_s1_15_burst_gives_one_order_a_code() -> None:
    desk = Desk()
    orders = [order for second in range(0, 60, 3) for order in desk.signal(f"10:00:{second:02d}", 10.0, BUY).orders]
    assert len(orders) == 1
    assert desk.view().drops == {"too_soon": 19}
    assert len(desk.signal("10:01:00", 10.0, BUY).orders) == 1


def test_s6_1_little_cash_cuts_the_order_or_refuses_it() -> None:
    desk = Desk(cash=5_000)
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    assert order.volume == 400  # 400 × 10.10 + 5.04 fits, 500 do not
    assert desk.signal("10:01:03", 10.0, BUY).orders == []
    assert desk.view().drops == {"cash": 1}


def test_s6_2_cap_of_a_code_counts_what_is_held_and_what_is_open() -> None:
    desk = held(config=config(risks=[("PositionRatioRisk", {"max_position_ratio": 0.2})]))
    (first,) = desk.signal("10:00:00", 10.0, BUY).orders
    assert first.volume == 900  # 10,000 held; the rest of 20 % at 10.10
    assert desk.signal("10:01:03", 10.0, BUY).orders == []


def test_s6_2_cap_of_all_codes_together() -> None:
    desk = held(config=config(risks=[("PositionRatioRisk", {"max_position_ratio": 1.0, "max_total_position_ratio": 0.15})]))
    desk.quote("10:00:00", 10.0, OTHER, prev_close=10.0)
    (order,) = desk.signal("10:00:03", 10.0, BUY, OTHER).orders
    assert order.volume == 400


def test_s6_3_minus_ten_percent_closes_the_position() -> None:
    desk = held(price=20.0, cash=1_000_000, config=config(risks=[("LossLimitRisk", {})]))
    assert desk.quote("10:00:00", 18.01).orders == []
    (order,) = desk.quote("10:00:03", 18.0).orders
    assert (order.direction, order.volume, order.limit) == (SELL, 1000, units(18.0))  # not under limit down
    assert desk.quote("10:00:06", 18.0).orders == []  # all of it is in the open sell
    assert desk.view().drops == {}  # and nothing more was asked for


def test_s6_4_plus_target_closes_the_position() -> None:
    desk = held(config=config(risks=[("ProfitTargetRisk", {"profit_target": 8.0})]))
    assert desk.quote("10:00:00", 10.79).orders == []
    (order,) = desk.quote("10:00:03", 10.8).orders
    assert (order.direction, order.volume) == (SELL, 1000)


def test_s6_4_part_of_a_position_is_sold_once() -> None:
    desk = held(config=config(risks=[("ProfitTargetRisk", {"profit_target": 5.0, "partial_ratio": 0.5})]))
    (order,) = desk.quote("10:00:00", 10.6).orders
    assert order.volume == 500
    desk.fill(order, 10.6)
    assert desk.quote("10:02:00", 10.7).orders == []


def test_s6_4_trailing_sells_behind_the_peak() -> None:
    desk = held(config=config(risks=[("ProfitTargetRisk", {"profit_target": 5.0, "trailing_percent": 2.0})]))
    for time, price in (("10:00:00", 10.5), ("10:00:03", 11.0), ("10:00:06", 10.79)):
        assert desk.quote(time, price).orders == []
    assert len(desk.quote("10:00:09", 10.78).orders) == 1  # 11.00 less 2 %, to the tick


def test_s6_8_same_event_twice_has_one_effect() -> None:
    desk = trend()
    desk.quote("10:00:00", 10.0)
    (order,) = desk.quote("10:00:03", 10.1).orders
    assert desk.quote("10:00:03", 10.1).orders == []
    desk.fill(order, 10.1)
    before = desk.view().cash
    report: Json = {"code": CODE, "direction": BUY, "volume": 1000, "cumulative": 1000, "price": units(10.1), "amount": units(10_100)}
    desk.report(order, "filled", seq=1, **report)
    assert (desk.view().cash, desk.view().fills) == (before, 1)
    before_bytes = desk.kernel.encode_portfolio(ID)
    desk.command("portfolio.stop", command_id="twice", time="10:06:00")
    desk.command("portfolio.start", command_id="then", time="10:06:01")
    desk.command("portfolio.stop", command_id="twice", time="10:06:02")
    assert desk.view().status == "running"
    assert before_bytes != desk.kernel.encode_portfolio(ID)


def test_s6_9_older_update_is_dropped() -> None:
    desk = Desk()
    TestStrategy.asked.clear()
    desk.quote("09:59:54", 10.5)
    desk.quote("10:00:00", 10.1, seq=5)
    desk.quote("10:00:00", 10.2, seq=4)
    desk.quote("10:00:00", 10.3, seq=6)
    assert TestStrategy.asked == [[CODE], [CODE]]
    assert desk.kernel.refused == {"older": 2}


def test_s6_10_cancel_of_a_part_filled_order_keeps_the_fill_and_releases_the_rest() -> None:
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    desk.fill(order, 10.0, 300)
    desk.command("order.cancel", order_id=order.order_id, time="10:06:00")
    desk.report(order, "cancelled")
    view = desk.view()
    assert (view.frozen, view.positions[0].volume, view.cash) == (0, 300, units(100_000 - 3_000 - 5.03))


def test_s6_12_many_signals_are_risked_and_sized_in_turn() -> None:
    desk = Desk(config(risks=[("PositionRatioRisk", {"max_position_ratio": 0.2, "max_total_position_ratio": 0.25})],
                       sizer_params={"volume": 1500}))  # fmt: skip
    TestStrategy.planned = [(CODE, BUY), (OTHER, BUY)]
    changes = desk.quotes([quote("10:00:00", 10.0), quote("10:00:00", 10.0, OTHER)])
    assert [(order.code, order.volume) for order in changes.orders] == [(CODE, 1500), (OTHER, 900)]


def test_s9_3_at_limit_up_nothing_is_opened_and_what_is_held_may_be_closed() -> None:
    desk = held()
    assert desk.signal("10:00:00", 11.0, BUY).orders == []
    assert desk.alerts() == ["risk_triggered"]
    assert desk.view().drops == {"limit_move": 1}
    (order,) = desk.signal("10:00:03", 11.0, SELL).orders
    assert order.limit == units(10.89)


def test_s9_3_price_limit_risk_sells_nothing_at_limit_down() -> None:
    desk = held(config=config(risks=[("PriceLimitRisk", {})]))
    assert desk.signal("10:00:00", 9.0, SELL).orders == []
    assert desk.view().drops == {"risk:PriceLimitRisk": 1}


@pytest.mark.parametrize("time", ["09:00:00", "12:00:00", "15:00:00.001", "2026-11-22T10:00:00"])
def test_s9_4_update_in_closed_hours_is_dropped(time: str) -> None:
    desk = Desk(opened=False)
    desk.create(ID)
    desk.command("portfolio.start")
    assert desk.signal(time, 10.0, BUY).orders == []
    assert TestStrategy.asked == []
    assert desk.kernel.refused == {"closed": 1}


def test_s9_5_sell_without_a_position_gives_no_order() -> None:
    desk = Desk()
    assert desk.signal("10:00:00", 10.0, SELL).orders == []
    assert desk.view().drops == {"no_position": 1}


def test_shares_bought_today_are_not_sold_today() -> None:
    """Section 3, T+1."""
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    desk.fill(order, 10.0)
    assert desk.signal("10:05:03", 10.0, SELL).orders == []
    assert desk.view().drops == {"not_available": 1}
    assert desk.view().total_value > units(99_990)  # they are worth something all the same


def test_s2_10_strategy_that_raises_puts_its_portfolio_in_error_and_no_other() -> None:
    desk = Desk()
    desk.create("p2", config=config(strategy="TrendFollowStrategy", params=TREND))
    desk.command("portfolio.start", "p2")
    TestStrategy.raises = RuntimeError("no such index")
    desk.quote("10:00:00", 10.0)
    assert desk.view(ID).status == "error"
    assert desk.view(ID).error.startswith("TestStrategy raised RuntimeError: no such index (desk.py, line ")
    assert desk.view(ID).error.endswith("), at the update of 000001.SZ of 2026-11-23 02:00:00 UTC")
    assert [(a.alert_type, a.severity) for a in desk.changes.alerts] == [("portfolio_error", "critical")]
    desk.quote("10:00:03", 10.0)
    (order,) = desk.quote("10:00:06", 10.1).orders
    assert order.portfolio_id == "p2"
    assert validate_config(desk.view("p2").config, REGISTRY) == []
