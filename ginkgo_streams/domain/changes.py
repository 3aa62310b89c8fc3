"""What one event changed in the portfolios of a slot, and what is to be told to the outside because of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ginkgo_streams.domain.events import Alert, Cancel, Move, Note, Order


@dataclass(slots=True)
class Changes:
    """The effects of one event. `dirty` names the portfolios whose value must be durable before the rest is visible."""

    dirty: list[str] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    """What components raised, with the traceback, for whoever runs them at hand; the alerts have it in words."""

    def mark(self, portfolio_id: str) -> None:
        """This portfolio's value must be durable before anything of these changes is published."""
        if portfolio_id not in self.dirty:
            self.dirty.append(portfolio_id)
