"""Orders of a portfolio: those open, and the few last ones closed."""

from __future__ import annotations

from typing import Literal

import msgspec

from ginkgo_streams.domain.events import BUY, Cancel, Order

Status = Literal["submitted", "acknowledged", "partially_filled"]
End = Literal["filled", "rejected", "cancelled", "expired"]


class OpenOrder(msgspec.Struct, omit_defaults=True):
    """An order that may still fill. Money in units, volumes in shares, `ts` and `cancel_ts` ms (0: no cancel asked).

    frozen: cash set aside for the rest of a buy or of a short sale, or for what the fees of a sale are more than it brings.
    amount, commission: of its fills so far. day: the trading day it is good for.
    asked: the `report_seq` that was missing and asked for again. disputed: a report of it could not be true.
    budget: see `events.Order`; such an order has the volume that it fills with once it has filled.
    short: of a short position: a sell that opens it or adds to it, a buy that closes it.
    """

    order_id: str
    code: str
    direction: int
    volume: int
    limit: int
    ts: int
    reason: str
    day: int
    frozen: int = 0
    status: Status = "submitted"
    filled: int = 0
    amount: int = 0
    commission: int = 0
    report_seq: int = 0
    cancel_ts: int = 0
    asked: int = 0
    disputed: bool = False
    budget: int = 0
    filled_ts: int = 0
    """When the last part of it filled, ms (0: nothing yet)."""
    short: bool = False

    @property
    def opens(self) -> bool:
        """Whether it opens a position or adds to it; else it closes one."""
        return (self.direction == BUY) != self.short

    def submission(self, portfolio_id: str) -> Order:
        """The order as it is, and was, submitted: the same each time."""
        return Order(order_id=self.order_id, portfolio_id=portfolio_id, code=self.code, direction=self.direction, volume=self.volume,
                     limit=self.limit, ts=self.ts, reason=self.reason, budget=self.budget)  # fmt: skip

    def cancel(self, portfolio_id: str) -> Cancel:
        """The cancel that was asked for: the same each time."""
        return Cancel(order_id=self.order_id, portfolio_id=portfolio_id, code=self.code, ts=self.cancel_ts)


class ClosedOrder(msgspec.Struct, array_like=True):
    """An ended order: enough to know a late duplicate of its reports, and to say how it ended."""

    order_id: str
    report_seq: int
    status: End
    reason: str = ""
