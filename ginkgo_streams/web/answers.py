"""What the web views answer with. Errors have the shape of the HTTP API's (contracts, section 5)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

State = Literal["starting", "moving", "running"]
"""starting: no assignment yet. moving: slots are being given out, claimed and recovered. running: portfolios take events."""


class PortfolioLine(msgspec.Struct, frozen=True):
    """A portfolio in the list of its slot."""

    portfolio_id: str
    name: str
    status: str


class SlotView(msgspec.Struct, frozen=True, kw_only=True):
    """A slot that the node owns. epoch: that of its claim. codes: those it wants, "*" for all. newest: event time, "" before any."""

    slot: int
    epoch: int
    codes: list[str]
    newest: str
    portfolios: list[PortfolioLine]


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A node. backlog: events taken from Kafka and not yet applied. standbys: slots it keeps a warm copy of."""

    node_id: str
    status: State
    address: str
    started_at: str
    version: str
    generation: int
    max_portfolios: int
    portfolio_count: int
    backlog: int
    slots: list[SlotView]
    standbys: list[int]


class MemberView(msgspec.Struct, frozen=True):
    """A node of the group as the last assignment has it. address: of its web views, "" where they are off."""

    node_id: str
    address: str
    slots: list[int]


class MembersView(msgspec.Struct, frozen=True):
    """All nodes of the group, and which of them answers."""

    asked: str
    generation: int
    nodes: list[MemberView]


class ErrorView(msgspec.Struct, frozen=True, kw_only=True):
    """An error, with what to do in its message."""

    error: Literal[True] = True
    code: str
    message: str
    details: dict[str, Any] = {}
    timestamp: str


class Refused(Exception):
    """An answer other than 200. retry_s: when to ask again, 0: not at all."""

    status, code = 500, "INTERNAL_ERROR"

    def __init__(self, message: str, retry_s: int = 0, **details: Any) -> None:
        super().__init__(message)
        self.message, self.retry_s, self.details = message, retry_s, details


class NotFound(Refused):
    """There is no such thing."""

    status, code = 404, "NOT_FOUND"


class Unavailable(Refused):
    """Nobody can say just now."""

    status, code = 503, "UNAVAILABLE"


class Misdirected(Refused):
    """Another node was meant."""

    status, code = 421, "MISDIRECTED"


encode = msgspec.json.Encoder().encode
