"""Reports: duplicates, gaps, strangers, contradictions; what is outstanding."""

from __future__ import annotations

from typing import Any

import pytest

from ginkgo_streams.domain.events import BUY, SELL, Order, Report
from ginkgo_streams.domain.ledger import LedgerBroken
from ginkgo_streams.domain.orders import OpenOrder
from ginkgo_streams.domain.reports import fill_day
from tests.unit.domain.market.shanghai import day
from tests.unit.domain.portfolio.desk import CODE, ID, PROFILE, Desk, held, ts, units


def ordered(desk: Desk) -> Order:
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    return order


def state(desk: Desk) -> tuple[Any, ...]:
    view = desk.view()
    return view.cash, view.frozen, view.positions, view.fills


def test_report_delivered_twice_is_dropped() -> None:
    desk = Desk()
    order = ordered(desk)
    desk.report(order, "ack")
    desk.fill(order, 10.0, 400)
    before = state(desk)
    changes = desk.fill(order, 10.0, 400, seq=2)
    assert state(desk) == before
    assert (changes.dirty, changes.orders) == ([], [])
    assert desk.view().drops == {"duplicate_report": 1}


def test_late_duplicate_of_a_closed_order_is_dropped_without_an_alert() -> None:
    desk = Desk()
    order = ordered(desk)
    desk.report(order, "rejected", reason_code="X", message="no")
    assert desk.report(order, "rejected", seq=1, reason_code="X", message="no").alerts == []


def test_report_behind_a_gap_is_not_applied_and_the_order_is_asked_for_once() -> None:
    desk = Desk()
    order = ordered(desk)
    before = state(desk)
    changes = desk.fill(order, 10.0, 400, seq=2)
    assert changes.orders == [order]
    assert desk.report(order, "cancelled", seq=3).orders == []  # asked already
    assert state(desk) == before
    desk.report(order, "ack", seq=1)  # the exchange repeats all of them
    desk.fill(order, 10.0, 400, seq=2)
    desk.report(order, "cancelled", seq=3)
    assert desk.view().positions[0].volume == 400
    assert desk.view().frozen == 0


def test_gap_of_an_order_to_be_cancelled_asks_for_the_cancel_too() -> None:
    desk = Desk()
    order = ordered(desk)
    desk.command("order.cancel", order_id=order.order_id)
    assert len(desk.report(order, "cancelled", seq=2).cancels) == 1


@pytest.mark.parametrize("portfolio_id", [ID, "nobody"])
def test_report_of_an_unknown_order_raises_an_alert_and_nothing_else(portfolio_id: str) -> None:
    desk = Desk()
    before = state(desk)
    changes = desk.kernel.on_report(Report(kind="ack", order_id="stranger", portfolio_id=portfolio_id, report_seq=1, ts=ts("10:00:00")))
    assert [(a.alert_type, a.severity) for a in changes.alerts] == [("component_error", "critical")]
    assert state(desk) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"volume": 1100, "cumulative": 1100, "amount": units(11_000)}, {"cumulative": 900}, {"remaining": 1}, {"direction": SELL},
        {"code": "600000.SH"}, {"price": units(10.11), "amount": units(10_110)}, {"amount": units(9_000)}, {"commission": -1},
        {"commission": units(100_000)}, {"volume": 0, "cumulative": 0},
    ],
)  # fmt: skip
def test_report_that_cannot_be_true_stops_the_portfolio_and_books_nothing(wrong: dict[str, Any]) -> None:
    desk = Desk()
    order = ordered(desk)
    before = state(desk)
    changes = desk.fill(order, 10.0, **wrong)
    assert desk.view().status == "error"
    assert state(desk) == before
    assert [(a.alert_type, a.severity) for a in changes.alerts] == [("portfolio_error", "critical")]
    again = desk.fill(order, 10.0, seq=1, **wrong)
    assert again.alerts == []
    assert desk.report(order, "cancelled", seq=2).orders == []  # no circle of questions with an exchange that has no other answer


def test_fill_behind_the_end_of_an_order_stops_the_portfolio() -> None:
    desk = Desk()
    order = ordered(desk)
    desk.report(order, "cancelled")
    before = state(desk)
    desk.report(order, "filled", volume=1000, code=CODE, direction=BUY)
    assert desk.view().status == "error"
    assert state(desk) == before


def test_fill_better_than_the_limit_gives_the_rest_back() -> None:
    desk = Desk()
    order = ordered(desk)
    desk.fill(order, 9.9)
    assert desk.view().cash == units(100_000 - 9_900 - 5) - 990


def test_sell_in_parts_books_cost_by_share_and_profit() -> None:
    desk = held()
    (order,) = desk.signal("10:00:00", 10.5, SELL).orders
    desk.fill(order, 10.5, 300)
    view = desk.view()
    assert (view.positions[0].volume, view.positions[0].available, view.positions[0].cost) == (700, 0, units(7_000))
    desk.report(order, "expired")
    assert desk.view().positions[0].available == 700
    (line,) = desk.view().ledger
    assert (line.bought_volume, line.sold_volume, line.bought_amount, line.sold_amount) == (1000, 300, units(10_000), units(3_150))
    assert line.stamp_duty == units(3_150) // 2000
    assert line.commission + line.stamp_duty + line.transfer_fee == desk.view().fees


def test_order_still_open_a_day_later_is_asked_for() -> None:
    desk = Desk()
    order = ordered(desk)
    assert desk.clock("15:00:00").orders == []
    assert desk.clock("2026-11-24T15:00:00").orders == [order]


@pytest.mark.parametrize(
    ("time", "expected"),
    [("10:00:00", "2026-11-23"), ("15:00:00", "2026-11-23"), ("15:00:05", "2026-11-23"), ("2026-11-24T00:10:00", "2026-11-20")],
)
def test_fill_belongs_to_the_session_it_happened_in(time: str, expected: str) -> None:
    assert fill_day(PROFILE, ts(time), day("2026-11-20")) == day(expected)


def test_books_that_do_not_add_up_are_noticed() -> None:
    desk = Desk()
    desk.portfolio().ledger.cash += 1
    with pytest.raises(LedgerBroken, match="is not the initial cash"):
        desk.portfolio().check()
    value = desk.kernel.encode_portfolio(ID)
    with pytest.raises(LedgerBroken):
        desk.kernel.load_portfolio(ID, value)


def test_frozen_cash_that_no_order_holds_is_noticed() -> None:
    desk = Desk()
    ordered(desk)
    order: OpenOrder = next(iter(desk.portfolio().open_orders.values()))
    order.frozen -= 1
    with pytest.raises(LedgerBroken, match="open orders hold"):
        desk.portfolio().check()


def test_shares_that_no_fill_brought_are_noticed() -> None:
    desk = held()
    desk.portfolio().ledger.positions[CODE].volume += 100
    with pytest.raises(LedgerBroken, match="does not follow"):
        desk.portfolio().check()
