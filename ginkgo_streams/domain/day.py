"""The end of a trading day: one equity row, and from then on the next day counts (T+1, limits)."""

from __future__ import annotations

from datetime import date

from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.events import Note
from ginkgo_streams.domain.marketview import Market
from ginkgo_streams.domain.money import cny
from ginkgo_streams.domain.portfolio import KEEP_HISTORY, EquityRow, Portfolio


def settle(market: Market, portfolio: Portfolio, today: int, ts: int, changes: Changes) -> None:
    """Close the portfolio's day where orders are good for a later one by now. today: that later day; ts: event time, ms.

    A new portfolio's first day is that of the first event it sees: commands carry the time of people, which is not the feed's where
    the past is replayed. Shares bought come free by the change of day alone. An order of an earlier day still open has lost its end
    on the way: it is submitted again under its id, which the exchange answers with all its reports.
    """
    if portfolio.day >= today or portfolio.status == "deleted":
        return
    if portfolio.day == 0:
        portfolio.day = today
        changes.mark(portfolio.portfolio_id)
        return
    row = _row(market, portfolio, portfolio.day, ts, portfolio.history)
    for order in portfolio.open_orders.values():
        if order.day < portfolio.day and not order.disputed:
            changes.orders.append(order.submission(portfolio.portfolio_id))
    portfolio.history.append(row)
    del portfolio.history[:-KEEP_HISTORY]
    portfolio.day = today
    portfolio.updated_at = max(portfolio.updated_at, ts)
    changes.mark(portfolio.portfolio_id)
    text = (
        f"Day end {date.fromordinal(row.day).isoformat()}: cash={cny(row.cash)}, total_value={cny(row.total_value)}, "
        f"daily_pnl={cny(row.daily_pnl)}, positions={row.position_count}"
    )
    changes.notes.append(Note(portfolio_id=portfolio.portfolio_id, text=text))


def correct(market: Market, portfolio: Portfolio, day: int, changes: Changes) -> None:
    """Prices of the closing auction, stamped at the close, and reports of the day's fills and expiries may come behind the clock
    that ended the day: the row follows them."""
    if portfolio.history and portfolio.history[-1].day == day:
        last = portfolio.history[-1]
        row = _row(market, portfolio, day, last.ts, portfolio.history[:-1])
        if row != last:
            portfolio.history[-1] = row
            changes.mark(portfolio.portfolio_id)


def _row(market: Market, portfolio: Portfolio, day: int, ts: int, before: list[EquityRow]) -> EquityRow:
    total = Account(portfolio, market.windows, market.profile, day).total_value()
    opening = before[-1].total_value if before else portfolio.ledger.initial
    return EquityRow(day, ts, portfolio.ledger.cash, total, total - opening, len(portfolio.ledger.positions))
