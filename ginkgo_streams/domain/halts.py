"""The kill switch: who is halted, since which change, and what that means for an order. Pure: decided in the order of the log."""

from __future__ import annotations

from typing import Literal

import msgspec

from ginkgo_streams.domain.events import BUY, Order

ENGINE = "engine"
"""The target of a halt of everything; else it is a portfolio's id or a code."""

KEEP_COMMANDS = 64

Mode = Literal["halt", "reduce"]
"""halt: cancels pass, no order does. reduce: an order passes that shrinks a position, which on this market is a sell (a sell
closes: contracts, section 1; a portfolio sells no more than it has)."""


class Halt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of the switch for one target: stopped (`active`) or started again. seq: 1, 2, 3 … per target, 0 where the gateway has not
    numbered it yet; ts: wall time of the command, ms."""

    target: str
    active: bool
    mode: Mode = "halt"
    reason: str = ""
    issued_by: str = ""
    command_id: str
    ts: int
    seq: int = 0

    def covers(self, portfolio_id: str, code: str) -> bool:
        """Whether an order of a portfolio in a code is of the target."""
        return self.target in (ENGINE, portfolio_id, code)

    def refusal(self, order: Order) -> tuple[str, str] | None:
        """(reason_code, message) where a new order may not pass, else None."""
        if not self.active or not self.covers(order.portfolio_id, order.code) or (self.mode == "reduce" and order.direction != BUY):
            return None
        what = "trading" if self.target == ENGINE else f"trading of {self.target}"
        only = "" if self.mode == "halt" else "; only orders that shrink a position pass"
        by = f" by {self.issued_by}" if self.issued_by else ""
        why = f": {self.reason}" if self.reason else ""
        return "halted", f"{what} is stopped{by}{why}{only}"


class Switch(msgspec.Struct):
    """What the gateway of a slot keeps: the newest change of each target that is its own, and the commands it knows."""

    halts: dict[str, Halt] = {}
    commands: list[str] = []

    def take(self, wish: Halt) -> Halt | None:
        """The numbered change that a command makes; None for a command that was here before."""
        if wish.command_id in self.commands:
            return None
        known = self.halts.get(wish.target)
        made = msgspec.structs.replace(wish, seq=1 if known is None else known.seq + 1)
        self.halts[wish.target] = made
        self.commands.append(wish.command_id)
        del self.commands[:-KEEP_COMMANDS]
        return made


def encode_switch(switch: Switch) -> bytes:
    """The durable value of a switch."""
    return msgspec.msgpack.encode(switch)


def decode_switch(value: bytes) -> Switch:
    """A switch from its durable value."""
    return msgspec.msgpack.decode(value, type=Switch)
