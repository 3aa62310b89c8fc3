"""One order of a portfolio, cancelled by a person: sent, and waited for until the order is seen to have ended."""

from __future__ import annotations

import time

from ginkgo_streams.commands import portfolio_command, send_commands_now
from ginkgo_streams.config import Settings
from ginkgo_streams.portfolios.control import POLL_S, WAIT_S, Outcome, Refused, absent
from ginkgo_streams.portfolios.read import portfolio_row
from ginkgo_streams.storage.portfolios import PortfolioStore
from ginkgo_streams.storage.snapshots import newest_snapshot


def cancel_order(
    settings: Settings, store: PortfolioStore, portfolio_id: str, order_id: str, *, issued_by: str = "ginkgo", wait_s: float = WAIT_S
) -> Outcome:
    """Cancels what is left of an order, and waits until the exchange has ended it; done: it was cancelled. status: how it ended.

    Raises UnknownPortfolio, Refused where it is not open, StorageDown, NoBrokers, TopicMismatch, SendFailed.
    """
    portfolio_row(store, portfolio_id)
    seen = newest_snapshot(store.engine, portfolio_id)
    open_ids = [str(order["order_id"]) for order in seen.open_orders] if seen is not None else []
    if order_id not in open_ids:
        raise Refused(f"portfolio {portfolio_id} has no open order {order_id!r}; open: {', '.join(open_ids) or 'none'}")
    command = portfolio_command("order.cancel", portfolio_id, {"order_id": order_id}, issued_by=issued_by)
    send_commands_now(settings, [command])
    if missing := absent(settings):
        return Outcome(False, "open", f"{missing}: the command waits in Kafka and is carried out when it is up")
    deadline = time.monotonic() + wait_s
    while True:
        seen = newest_snapshot(store.engine, portfolio_id)
        if seen is not None:
            refused = next((each["reason"] for each in seen.refusals if each["command_id"] == command.command_id), None)
            if refused is not None:
                return Outcome(False, "open", f"Order {order_id} cannot be cancelled: {refused}")
            if all(order["order_id"] != order_id for order in seen.open_orders):
                end = next((each["status"] for each in seen.closed_orders if each["order_id"] == order_id), "ended")
                why = "" if end == "cancelled" else " before the cancel came"
                return Outcome(end == "cancelled", end, f"Order {order_id} is {end}{why}")
        if time.monotonic() >= deadline:
            return Outcome(False, "open", f"Order {order_id} is still open {wait_s:g} s after the command; the exchange takes no cancel "
                                          "in the call auctions")  # fmt: skip
        time.sleep(POLL_S)
