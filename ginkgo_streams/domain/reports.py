"""What the exchange says of an order: each report applied once, in order, whole or not at all."""

from __future__ import annotations

from ginkgo_streams.domain import ids, ledger, notes, pricing
from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.events import BUY, Alert, Report
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.marketview import Market
from ginkgo_streams.domain.orders import ClosedOrder, End, OpenOrder
from ginkgo_streams.domain.portfolio import KEEP_CLOSED, Portfolio, fail, settle_stop


def apply_report(market: Market, portfolio: Portfolio, report: Report, changes: Changes) -> None:
    """Apply one report of an order of this portfolio. A report already applied is dropped, one that comes too early asks for
    those before it, one that cannot be true stops the portfolio; in these cases the books stay as they are."""
    order = portfolio.open_orders.get(report.order_id)
    if order is None:
        _not_open(portfolio, report, changes)
    elif report.report_seq <= order.report_seq:
        portfolio.drop("duplicate_report")
    elif report.report_seq > order.report_seq + 1:
        portfolio.drop("early_report")
        if order.disputed or order.asked > order.report_seq:
            return  # asked already: to ask at every early report would go in circles with an exchange that has no other answer
        order.asked = order.report_seq + 1
        changes.orders.append(order.submission(portfolio.portfolio_id))  # the exchange answers a known order with all its reports
        if order.cancel_ts:
            changes.cancels.append(order.cancel(portfolio.portfolio_id))
    else:
        wrong = _contradiction(market.profile, portfolio, order, report)
        if wrong and order.disputed:
            portfolio.drop("inconsistent_report")  # the alert is out
            return
        if wrong:
            order.disputed = True
            _refuse(portfolio, report, wrong, changes)
            return
        order.report_seq = report.report_seq
        _apply(market, portfolio, order, report, changes)
        portfolio.updated_at = max(portfolio.updated_at, report.ts)
        changes.mark(portfolio.portfolio_id)
        portfolio.check((order.code,))
        settle_stop(portfolio, report.ts, changes)


def _not_open(portfolio: Portfolio, report: Report, changes: Changes) -> None:
    for closed in portfolio.closed_orders:
        if closed.order_id == report.order_id:
            if report.report_seq <= closed.report_seq:
                portfolio.drop("duplicate_report")
            else:
                _refuse(portfolio, report, f"the order has ended ({closed.status}) with report {closed.report_seq}", changes)
            return
    portfolio.drop("unknown_order")
    changes.alerts.append(unknown(report, f"portfolio {portfolio.portfolio_id} has no open or recent order of that id"))


def unknown(report: Report, why: str) -> Alert:
    """The alert of a report that belongs to nothing known."""
    return Alert(
        alert_id=ids.alert_id("unknown_order", report.portfolio_id, report.order_id, report.report_seq), alert_type="component_error",
        severity="critical", source=report.portfolio_id,
        message=f"Report {report.report_seq} ({report.kind}) of unknown order {report.order_id}: {why}",
        details={"order_id": report.order_id, "portfolio_id": report.portfolio_id, "kind": report.kind}, ts=report.ts,
    )  # fmt: skip


def _refuse(portfolio: Portfolio, report: Report, why: str, changes: Changes) -> None:
    portfolio.drop("inconsistent_report")
    what = f"report {report.report_seq} ({report.kind}) of order {report.order_id}"
    fail(portfolio, report.ts, f"{what} cannot be true: {why}; nothing was booked", changes)


def _contradiction(profile: Profile, portfolio: Portfolio, order: OpenOrder, report: Report) -> str:
    """Why a report cannot be true of the order; empty where it can."""
    if report.kind not in ("filled", "partially_filled"):
        return "it was filled in part, and then rejected" if report.kind == "rejected" and order.filled else ""
    volume = _volume(order, report)
    left = volume - order.filled - report.volume
    if report.code != order.code or report.direction != order.direction:
        return f"it is of {report.code} {report.direction}, the order of {order.code} {order.direction}"
    if report.volume <= 0 or left < 0:
        return f"{report.volume} shares filled, {volume - order.filled} of {volume} were open"
    if report.cumulative != order.filled + report.volume or report.remaining != left or (report.kind == "filled") != (left == 0):
        return f"cumulative {report.cumulative} and remaining {report.remaining}, where {order.filled + report.volume} and {left} are due"
    if report.price <= 0 or abs(report.amount - report.price * report.volume) > report.volume:
        return f"amount {report.amount} for {report.volume} at {report.price} (units of 0.0001 CNY)"
    if min(report.commission, report.stamp_duty, report.transfer_fee) < 0:
        return "a fee is negative"
    if (report.price - order.limit) * order.direction > 0 and order.limit:
        return f"price {report.price} is worse than the limit {order.limit} (units of 0.0001 CNY)"
    fees = report.commission + report.stamp_duty + report.transfer_fee
    after = _frozen_after(profile, order, report)
    money = order.frozen - after - order.direction * report.amount - fees
    if portfolio.ledger.cash + money < 0:
        return f"it costs {report.amount} and fees of {fees} (units of 0.0001 CNY), more than was set aside and the free cash"
    return ""


def _volume(order: OpenOrder, report: Report) -> int:
    """Shares of an order: one with a budget was sized by its first fill, to its volume or less."""
    if order.budget and not order.filled:
        return min(report.cumulative + report.remaining, order.volume)
    return order.volume


def _frozen_after(profile: Profile, order: OpenOrder, report: Report) -> int:
    """Cash that the rest of an order may need behind this fill."""
    if order.direction != BUY and not order.short:
        return 0
    left = _volume(order, report) - order.filled - report.volume
    if order.budget:
        return max(order.budget - order.amount - order.commission - report.amount - report.commission, 0) if left else 0
    paid, spent = order.commission + report.commission, order.amount + report.amount
    return pricing.buy_cost(profile, order.code, order.limit, left, order.day, paid, spent)


def _apply(market: Market, portfolio: Portfolio, order: OpenOrder, report: Report, changes: Changes) -> None:
    if report.kind == "ack":
        if order.status == "submitted":
            order.status = "acknowledged"
    elif report.kind == "filled" or report.kind == "partially_filled":
        fees = (report.commission, report.stamp_duty, report.transfer_fee)
        day = fill_day(market.profile, report.ts, order.day)
        frozen_after = _frozen_after(market.profile, order, report)
        ledger.resize(portfolio.ledger, order, _volume(order, report))
        ledger.book(portfolio.ledger, order, report.volume, report.amount, fees, day, frozen_after)
        portfolio.fill_count += 1
        order.status = "partially_filled"
        order.filled_ts = report.ts
        changes.notes.append(notes.order_filled(report))
        if order.filled == order.volume:
            _close(portfolio, order, "filled", "")
        if order.code not in portfolio.ledger.positions:
            for memos in portfolio.risk_state.values():
                memos.pop(order.code, None)
            portfolio.risk_state = {key: memos for key, memos in portfolio.risk_state.items() if memos}
        account = Account(portfolio, market.windows, market.profile, market.profile.order_day(report.ts))
        changes.notes.append(notes.portfolio_updated(portfolio.portfolio_id, account))
    else:
        end: End = report.kind
        reason = f"{report.reason_code}: {report.message}" if end == "rejected" else report.message
        ledger.release(portfolio.ledger, order)
        _close(portfolio, order, end, reason)
        changes.notes.append(notes.order_ended(portfolio.portfolio_id, order.order_id, report.kind, reason))
        if report.kind == "rejected":
            changes.alerts.append(_rejected(portfolio, order, report))


def fill_day(profile: Profile, ts: int, order_day: int) -> int:
    """The trading day of a fill reported at ts: from the opening of that date's session on that date, else (a report that
    came in the night) the day the order was good for. A report some seconds behind the close is of the day that closed."""
    day = profile.calendar_day(ts)
    return day if profile.is_trading_day(day) and ts >= profile.session_open_ts(day) else order_day


def _close(portfolio: Portfolio, order: OpenOrder, status: End, reason: str) -> None:
    del portfolio.open_orders[order.order_id]
    portfolio.closed_orders.append(ClosedOrder(order.order_id, order.report_seq, status, reason))
    del portfolio.closed_orders[:-KEEP_CLOSED]


def _rejected(portfolio: Portfolio, order: OpenOrder, report: Report) -> Alert:
    what = f"Order {order.order_id} ({notes.side(order.direction)} {order.volume} {order.code})"
    return Alert(
        alert_id=ids.alert_id("order_rejected", order.order_id), alert_type="order_rejected", severity="warning",
        source=portfolio.portfolio_id, message=f"{what} was rejected: {report.reason_code}: {report.message}",
        details={"order_id": order.order_id, "portfolio_id": portfolio.portfolio_id, "code": order.code, "reason_code": report.reason_code},
        ts=report.ts,
    )  # fmt: skip
