"""What is held when the bars end, sold at the last close of each code, and what is short bought back.

Market rules that an exchange would hold against it do not count.
"""

from __future__ import annotations

from ginkgo_streams.backtest.machine import Machine
from ginkgo_streams.domain import ids, ledger, pricing
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.exchange.book import Entry
from ginkgo_streams.domain.orders import OpenOrder
from ginkgo_streams.domain.portfolio import Portfolio

REASON = "finalize: the bars end"


def close_positions(machine: Machine, ts: int) -> None:
    """Cancel what is open, sell all that is held (but for a few shares whose sale costs more than it brings and there is cash for), then
    buy back with that cash what is short. ts: the last moment, ms.

    Raises RunFailed where the cash does not pay for a short.
    """
    for portfolio_id in sorted(machine.portfolios.portfolios):
        portfolio = machine.portfolios.portfolios[portfolio_id]
        for order in list(portfolio.open_orders.values()):
            entry = Entry(order.submission(portfolio_id), order.day, order.ts, cumulative=order.filled)
            entry.reports = [entry.report("ack", order.ts)] * order.report_seq
            machine.deliver(entry.report("cancelled", ts, "finalize", "the bars end"))
        for code, _ in sorted(portfolio.ledger.positions.items(), key=lambda each: (each[1].short, each[0])):
            _close(machine, portfolio, code, ts)
        machine.journals[portfolio_id].finalized(portfolio, machine.profile.trading_day(ts))


def _close(machine: Machine, portfolio: Portfolio, code: str, ts: int) -> None:
    position, price = portfolio.ledger.positions[code], machine.price(code)
    volume, direction = position.volume, BUY if position.short else SELL
    day = machine.profile.trading_day(ts)
    if direction == SELL and pricing.sale_cost(machine.profile, code, price, volume, day) > portfolio.ledger.cash:
        return
    portfolio.order_count += 1
    order = OpenOrder(
        order_id=ids.order_id(portfolio.portfolio_id, portfolio.order_count), code=code, direction=direction, volume=volume, limit=0,
        ts=ts, reason=REASON, day=day, short=position.short,
    )  # fmt: skip
    ledger.freeze(portfolio.ledger, order)
    portfolio.open_orders[order.order_id] = order
    portfolio.check((code,))
    machine.made(portfolio, order)
    entry = Entry(order.submission(portfolio.portfolio_id), day, ts)
    machine.deliver(entry.report("ack", ts))
    machine.deliver(entry.fill(volume, price, machine.profile.fees(direction, volume * price, day, code), (ts, 0)))
