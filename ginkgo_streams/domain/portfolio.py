"""The value of one portfolio: all that a restart needs, some kB, and the states it may be in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from ginkgo_streams.domain import ids
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.events import Alert, Note
from ginkgo_streams.domain.ledger import Ledger, check
from ginkgo_streams.domain.orders import ClosedOrder, OpenOrder
from ginkgo_streams.domain.versions import Version

PortfolioStatus = Literal["created", "running", "stopping", "stopped", "reloading", "migrating", "error", "deleted"]

MOVES: dict[PortfolioStatus, tuple[PortfolioStatus, ...]] = {
    "created": ("running", "deleted", "error"),
    "running": ("stopping", "reloading", "migrating", "error"),
    "stopping": ("stopped", "error"),
    "stopped": ("running", "deleted", "error"),
    "reloading": ("running", "error"),
    "migrating": ("running", "error"),
    "error": ("running", "stopped", "error"),
    "deleted": (),
}
"""Which state may follow which (contracts, section 2). An error of a portfolio in error is a move:
its reason is on record."""

KEEP_CLOSED = 64
KEEP_COMMANDS = 64
KEEP_REFUSALS = 8
KEEP_TRANSITIONS = 50
KEEP_HISTORY = 30


class Transition(msgspec.Struct, array_like=True):
    """One change of state. ts: ms. seq: 1, 2, 3 … of the portfolio, as several may have one ts (0: from before they were counted)."""

    ts: int
    from_status: str
    to_status: str
    reason: str
    seq: int = 0


class Refusal(msgspec.Struct, array_like=True):
    """A command that was not done, and why."""

    command_id: str
    reason: str


class EquityRow(msgspec.Struct, array_like=True):
    """The end of one trading day. day: date ordinal; ts: ms; money in units; cash is free cash."""

    day: int
    ts: int
    cash: int
    total_value: int
    daily_pnl: int
    position_count: int


class Portfolio(msgspec.Struct, omit_defaults=True):
    """The value. day: the trading day that orders are good for now, before which the days are settled (0: no event seen yet).

    strategy_state belongs to the strategy; risk_state has the memos of each risk manager (see `memos`); last_signals has
    the time of the last signal under "<code>+" for buys and "<code>-" for sells. stop_wanted: stop once no order is open.
    selected: what a selector chose for trading day selected_day. versions: the last ones of the config, the present one last;
    refusals: the last commands that were not done.
    """

    portfolio_id: str
    name: str
    user_id: str
    config: dict[str, Any]
    ledger: Ledger
    created_at: int
    day: int
    version: int = 1
    status: PortfolioStatus = "created"
    error: str = ""
    stop_wanted: bool = False
    updated_at: int = 0
    order_count: int = 0
    fill_count: int = 0
    open_orders: dict[str, OpenOrder] = {}
    closed_orders: list[ClosedOrder] = []
    commands: list[str] = []
    strategy_state: dict[str, Any] = {}
    risk_state: dict[str, dict[str, dict[str, Any]]] = {}
    last_signals: dict[str, int] = {}
    selected: list[str] = []
    selected_day: int = 0
    drops: dict[str, int] = {}
    transitions: list[Transition] = []
    versions: list[Version] = []
    refusals: list[Refusal] = []
    history: list[EquityRow] = []

    def drop(self, reason: str) -> None:
        """Count something dropped, by reason."""
        self.drops[reason] = self.drops.get(reason, 0) + 1

    def check(self, codes: Iterable[str] | None = None) -> None:
        """Raise LedgerBroken unless the books add up (codes None: all of them)."""
        check(self.ledger, self.open_orders.values(), codes)


def move(portfolio: Portfolio, to: PortfolioStatus, ts: int, reason: str, changes: Changes) -> None:
    """Change the state, on record. The caller knows the move to be allowed; anything else is a bug (ValueError)."""
    if to not in MOVES[portfolio.status]:
        raise ValueError(f"portfolio {portfolio.portfolio_id} cannot go from {portfolio.status} to {to}")
    moves = portfolio.transitions
    seq = 1 + (moves[-1].seq or len(moves) if moves else 0)
    moves.append(Transition(ts, portfolio.status, to, reason, seq))
    del moves[:-KEEP_TRANSITIONS]
    portfolio.status = to
    portfolio.updated_at = max(portfolio.updated_at, ts)
    changes.mark(portfolio.portfolio_id)
    changes.notes.append(Note(portfolio_id=portfolio.portfolio_id, text=f"Portfolio {portfolio.portfolio_id} {to}: {reason}"))


def fail(portfolio: Portfolio, ts: int, reason: str, changes: Changes) -> None:
    """Put a portfolio into `error` with an alert. Its books stay; nothing else is affected."""
    portfolio.error = reason
    if portfolio.status != "deleted":
        move(portfolio, "error", ts, reason, changes)
    changes.mark(portfolio.portfolio_id)
    changes.alerts.append(Alert(
        alert_id=ids.alert_id("portfolio_error", portfolio.portfolio_id, ts, reason), alert_type="portfolio_error", severity="critical",
        source=portfolio.portfolio_id, message=f"Portfolio {portfolio.name!r} is in error: {reason}",
        details={"portfolio_id": portfolio.portfolio_id, "reason": reason}, ts=ts,
    ))  # fmt: skip


def settle_stop(portfolio: Portfolio, ts: int, changes: Changes) -> None:
    """A portfolio that is to stop has stopped once no order is open."""
    if portfolio.stop_wanted and not portfolio.open_orders:
        portfolio.stop_wanted = False
        move(portfolio, "stopped", ts, "no order is open", changes)
