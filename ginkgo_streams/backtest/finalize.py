"""What is held when the bars end, sold at the last close of each code: market rules that an exchange would hold against it do not count."""

from __future__ import annotations

from ginkgo_streams.backtest.machine import Machine
from ginkgo_streams.domain import ids, ledger
from ginkgo_streams.domain.events import SELL
from ginkgo_streams.domain.exchange.book import Entry
from ginkgo_streams.domain.orders import OpenOrder
from ginkgo_streams.domain.portfolio import Portfolio

REASON = "finalize: the bars end"


def close_positions(machine: Machine, ts: int) -> None:
    """Cancel what is open, and sell all that is held. ts: the last moment, ms."""
    for portfolio_id in sorted(machine.portfolios.portfolios):
        portfolio = machine.portfolios.portfolios[portfolio_id]
        for order in list(portfolio.open_orders.values()):
            entry = Entry(order.submission(portfolio_id), order.day, order.ts, cumulative=order.filled)
            entry.reports = [entry.report("ack", order.ts)] * order.report_seq
            machine.deliver(entry.report("cancelled", ts, "finalize", "the bars end"))
        for code in sorted(portfolio.ledger.positions):
            _sell(machine, portfolio, code, ts)
        machine.journals[portfolio_id].finalized(portfolio, machine.profile.trading_day(ts))


def _sell(machine: Machine, portfolio: Portfolio, code: str, ts: int) -> None:
    volume, price = portfolio.ledger.positions[code].volume, machine.price(code)
    day = machine.profile.trading_day(ts)
    portfolio.order_count += 1
    order = OpenOrder(
        order_id=ids.order_id(portfolio.portfolio_id, portfolio.order_count), code=code, direction=SELL, volume=volume, limit=0, ts=ts,
        reason=REASON, day=day,
    )  # fmt: skip
    ledger.freeze(portfolio.ledger, order)
    portfolio.open_orders[order.order_id] = order
    portfolio.check((code,))
    machine.made(portfolio, order)
    entry = Entry(order.submission(portfolio.portfolio_id), day, ts)
    machine.deliver(entry.report("ack", ts))
    machine.deliver(entry.fill(volume, price, machine.profile.fees(SELL, volume * price, day, code), (ts, 0)))
