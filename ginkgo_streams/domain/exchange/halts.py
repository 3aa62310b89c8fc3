"""What one partition of the exchange knows of halts: the newest change of each target, and how many orders it ended."""

from __future__ import annotations

import msgspec

from ginkgo_streams.domain.events import Order
from ginkgo_streams.domain.halts import Halt


class Seen(msgspec.Struct, array_like=True):
    """A change of the switch as this partition has it. ended: open orders that it rejected, cancelled or asked to cancel."""

    halt: Halt
    ended: int = 0


class Halts:
    """The book is where a halt is decided, because only the book can tell an order that comes again from a new one. A target started
    again stays in it with its number, so that an old halt that comes again is known."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}

    def take(self, halt: Halt) -> Seen | None:
        """Take a change; None where it is no news."""
        known = self.seen.get(halt.target)
        if known is not None and halt.seq <= known.halt.seq:
            return None
        self.seen[halt.target] = made = Seen(halt)
        return made

    def active(self) -> list[Halt]:
        """The halts in force."""
        return [seen.halt for seen in self.seen.values() if seen.halt.active]

    def refusal(self, order: Order) -> tuple[str, str] | None:
        """(reason_code, message) against a new order, or None."""
        return next((refusal for halt in self.active() if (refusal := halt.refusal(order)) is not None), None)

    def encode(self) -> bytes:
        """The value of the table's key."""
        return msgspec.msgpack.encode(self.seen)

    def load(self, value: bytes) -> None:
        """Take the recovered value."""
        self.seen = msgspec.msgpack.decode(value, type=dict[str, Seen])
