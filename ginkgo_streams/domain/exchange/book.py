"""What the exchange keeps: a value per order and a small one per code. Both are the values of its table."""

from __future__ import annotations

from typing import Literal
from uuid import UUID, uuid5

import msgspec

from ginkgo_streams.domain.events import Order, Report, ReportKind
from ginkgo_streams.domain.market.profile import Fees

TRADES = UUID("6f0a3f5e-6d0e-5c5b-9c4e-2b8f3a9a7d11")
"""Namespace of trade ids: a trade's id follows from its order's id and its number."""


class BrokenOrder(AssertionError):
    """An order's own figures contradict each other: a bug, and the process must not go on with it."""


class Entry(msgspec.Struct, array_like=True):
    """An order at the exchange. `day` is the trading day it is good for, `ready` the ts from which it counts as arrived."""

    order: Order
    day: int
    ready: int
    state: Literal["arriving", "open", "closed"] = "arriving"
    cumulative: int = 0
    amount: int = 0
    """Units, of all fills."""
    commission: int = 0
    """Units, of all fills."""
    reports: list[Report] = []
    """All given so far: number n has report_seq n."""
    marks: list[tuple[int, int, int]] = []
    """Of each fill, (ts, seq) of the update that gave it and its volume: what is left of that update for others after a crash."""
    cancel: bool = False
    """A cancel waits until the exchange takes cancels again."""

    @property
    def remaining(self) -> int:
        """Shares not filled."""
        return self.order.volume - self.cumulative

    def report(self, kind: ReportKind, ts: int, reason_code: str = "", message: str = "") -> Report:
        """The next report of the order, kept here; every kind but ack closes it."""
        order = self.order
        report = Report(
            kind=kind, order_id=order.order_id, portfolio_id=order.portfolio_id, report_seq=len(self.reports) + 1,
            ts=max(ts, self.reports[-1].ts) if self.reports else ts, reason_code=reason_code, message=message,
        )  # fmt: skip
        self.reports.append(report)
        self.state = "open" if kind == "ack" else "closed"
        return report

    def fill(self, volume: int, price: int, fees: Fees, update: tuple[int, int]) -> Report:
        """Book a fill by the update (ts, seq). Raises BrokenOrder where it is more than is left, or the sums do not agree."""
        order, number = self.order, len(self.marks) + 1
        self.cumulative += volume
        self.amount += volume * price
        self.commission += fees.commission
        self.marks.append((*update, volume))
        if volume <= 0 or self.remaining < 0 or self.cumulative != sum(mark[2] for mark in self.marks):
            raise BrokenOrder(f"order {order.order_id}: fill {number} of {volume} makes {self.cumulative} of {order.volume}")
        report = Report(
            kind="partially_filled" if self.remaining else "filled", order_id=order.order_id, portfolio_id=order.portfolio_id,
            report_seq=len(self.reports) + 1, ts=update[0], code=order.code, direction=order.direction,
            trade_id=str(uuid5(TRADES, f"{order.order_id}/{number}")), volume=volume, cumulative=self.cumulative,
            remaining=self.remaining, price=price, amount=volume * price, commission=fees.commission,
            stamp_duty=fees.stamp_duty, transfer_fee=fees.transfer_fee,
        )  # fmt: skip
        self.reports.append(report)
        if not self.remaining:
            self.state = "closed"
        return report


class CodeState(msgspec.Struct, array_like=True):
    """What the exchange knows of a code: its last update and its day. Prices in units, 0 where unknown."""

    ts: int
    seq: int
    price: int
    day: int
    prev_close: int
    bid: int = 0
    ask: int = 0

    def reference(self, direction: int) -> int:
        """The reference price of the cage: for a buy the best ask, else the best bid, else the last price; for a sell mirrored."""
        first, second = (self.ask, self.bid) if direction > 0 else (self.bid, self.ask)
        return first or second or self.price


encode = msgspec.msgpack.Encoder().encode
decode_entry = msgspec.msgpack.Decoder(Entry).decode
decode_code = msgspec.msgpack.Decoder(CodeState).decode
decode_clock = msgspec.msgpack.Decoder(int).decode
