"""The lines for the log of a node, in the words of the quickstart."""

from __future__ import annotations

from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.component import Signal
from ginkgo_streams.domain.events import BUY, Note, Report
from ginkgo_streams.domain.money import cny
from ginkgo_streams.domain.orders import OpenOrder


def side(direction: int) -> str:
    """BUY or SELL."""
    return "BUY" if direction == BUY else "SELL"


def signal_generated(portfolio_id: str, signal: Signal, volume: int) -> Note:
    """A signal, sized."""
    return Note(portfolio_id=portfolio_id, text=f"Signal generated: {side(signal.direction)} {signal.code}, volume={volume}")


def signal_dropped(portfolio_id: str, signal: Signal, reason: str) -> Note:
    """A signal that leads to no order."""
    text = f"Signal dropped: {side(signal.direction)} {signal.code}, {reason}"
    return Note(portfolio_id=portfolio_id, text=text, level="debug")


def order_submitted(portfolio_id: str, order: OpenOrder) -> Note:
    """An order that goes out."""
    text = f"Order submitted: {order.order_id}, {side(order.direction)} {order.code}, volume={order.volume}"
    return Note(portfolio_id=portfolio_id, text=text)


def order_filled(report: Report) -> Note:
    """A fill, whole or part."""
    text = f"Order filled: {report.order_id}, volume={report.volume}, price={cny(report.price)}"
    return Note(portfolio_id=report.portfolio_id, text=text)


def order_ended(portfolio_id: str, order_id: str, how: str, reason: str) -> Note:
    """An order that ended with something left."""
    text = f"Order {how}: {order_id}" + (f", {reason}" if reason else "")
    return Note(portfolio_id=portfolio_id, text=text, level="warning" if how == "rejected" else "info")


def portfolio_updated(portfolio_id: str, account: Account) -> Note:
    """Cash and positions after a fill."""
    text = f"Portfolio updated: cash={cny(account.cash)}, position_value={cny(account.positions_value())}"
    return Note(portfolio_id=portfolio_id, text=text)
