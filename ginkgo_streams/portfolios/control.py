"""Commands to a portfolio, and the wait until their effect is seen in the database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ginkgo_streams.commands import CommandType, members, portfolio_command, run, send_commands_now
from ginkgo_streams.config import Settings
from ginkgo_streams.domain.portfolio import MOVES
from ginkgo_streams.domain.portfolio import PortfolioStatus as PortfolioStatusName
from ginkgo_streams.portfolios.read import PortfolioStatus, portfolio_status, status_of
from ginkgo_streams.storage.portfolios import PortfolioStore
from ginkgo_streams.storage.snapshots import newest_snapshot
from ginkgo_streams.topics import LIVECORE_APP, NODE_APP

WAIT_S = 30.0
POLL_S = 0.2

_ZERO = Decimal(0)

Action = Literal["start", "stop", "delete"]

WANTED: Mapping[Action, str] = {"start": "running", "stop": "stopped", "delete": "deleted"}

MOVE: Mapping[Action, tuple[PortfolioStatusName, ...]] = {"start": ("running",), "stop": ("stopping", "stopped"), "delete": ("deleted",)}

COMMANDS: Mapping[Action, CommandType] = {"start": "portfolio.start", "stop": "portfolio.stop", "delete": "portfolio.delete"}


class Refused(Exception):
    """The portfolio is in a state in which this cannot be done: the text says which."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen. done: the wanted state is there. status: the last seen. text: one line for people."""

    done: bool
    status: str
    text: str


def change(
    settings: Settings, store: PortfolioStore, portfolio_id: str, action: Action, *, force: bool = False, wait_s: float = WAIT_S
) -> Outcome:
    """Sends the command and waits until the portfolio is seen in the state that it wants.

    force (delete): with positions, too. Raises UnknownPortfolio, Refused, StorageDown, NoBrokers, TopicMismatch, SendFailed.
    """
    before = portfolio_status(store, portfolio_id)
    if before.status == WANTED[action]:
        return Outcome(True, before.status, f"Portfolio {portfolio_id} is {before.status} already")
    if reason := refusal(before, action, force=force):
        raise Refused(f"portfolio {portfolio_id} cannot be {_past(action)}: {reason}")
    command = portfolio_command(COMMANDS[action], portfolio_id, {"force": True} if force else {})
    send_commands_now(settings, [command])
    return wait_for(settings, store, portfolio_id, WANTED[action], before=before, command_id=command.command_id, wait_s=wait_s)


def refusal(status: PortfolioStatus, action: Action, *, force: bool = False) -> str:
    """Why it is not possible now, "" where it is. The portfolio decides again, by the same table, when the command arrives."""
    if action == "stop" and status.status == "stopping":
        return ""
    able = [name for name, targets in MOVES.items() if any(target in targets for target in MOVE[action])]
    if status.status not in able:
        return f"it is {status.status}, expected one of: {', '.join(able)}"
    if action == "delete" and status.position_count and not force:
        return f"it holds {status.position_count} positions; sell them first, or use --force"
    return ""


def wait_for(
    settings: Settings,
    store: PortfolioStore,
    portfolio_id: str,
    wanted: str,
    *,
    before: PortfolioStatus | None = None,
    command_id: str = "",
    taken: bool = False,
    wait_s: float = WAIT_S,
) -> Outcome:
    """Waits until the portfolio's newest snapshot says `wanted`, for `wait_s` seconds, and not at all where nobody runs who could do it.

    before: the state when the command was sent; an error that was there already does not end the wait. command_id: of the command,
    whose refusal by the portfolio ends it. taken: the state counts only
    from a node, not the row as it was made.
    """
    if missing := absent(settings):
        return Outcome(False, _seen(store, portfolio_id).status, f"{missing}: the command waits in Kafka and is carried out when it is up")
    deadline = time.monotonic() + wait_s
    while True:
        seen = _seen(store, portfolio_id)
        if seen.status == wanted and (seen.node_id or not taken):
            node = f" on {seen.node_id}" if seen.node_id and wanted != "deleted" else ""
            return Outcome(True, seen.status, f"Portfolio {portfolio_id} is {seen.status}{node}")
        if reason := _refused(store, portfolio_id, command_id):
            return Outcome(False, seen.status, f"Portfolio {portfolio_id} is {seen.status} and refused the command: {reason}")
        if seen.status == "error" and (before is None or before.status != "error"):
            return Outcome(False, seen.status, f"Portfolio {portfolio_id} is in error: {seen.error}")
        if time.monotonic() >= deadline:
            return Outcome(
                False, seen.status, f"Portfolio {portfolio_id} is still {seen.status} {wait_s:g} s after the command, expected {wanted}"
            )
        time.sleep(POLL_S)


def _refused(store: PortfolioStore, portfolio_id: str, command_id: str) -> str:
    """Why the portfolio did not do a command, "" where it is not seen to have refused it."""
    snapshot = newest_snapshot(store.engine, portfolio_id) if command_id else None
    refusals = () if snapshot is None else snapshot.refusals
    return next((str(refusal["reason"]) for refusal in refusals if refusal["command_id"] == command_id), "")


def _seen(store: PortfolioStore, portfolio_id: str) -> PortfolioStatus:
    """The portfolio as the database has it now; a row that is gone stands for deleted."""
    row, snapshot = store.get(portfolio_id), newest_snapshot(store.engine, portfolio_id)
    if row is not None:
        return status_of(row, snapshot)
    return PortfolioStatus(
        portfolio_id=portfolio_id, name="", user_id="", status="deleted", initial_cash=_ZERO, cash=_ZERO, total_value=_ZERO,
        position_count=0, orders=0, fills=0, node_id="", version=0, updated_at="", error="",
    )  # fmt: skip


def absent(settings: Settings) -> str:
    """Who is needed and does not run, e.g. "No livecore is running"; "" where all run. Raises NoBrokers."""
    running = run(members(settings))
    missing = [name for group, name in ((NODE_APP, "execution node"), (LIVECORE_APP, "livecore")) if not running.get(group)]
    return f"No {' and no '.join(missing)} is running" if missing else ""


def _past(action: str) -> str:
    return {"start": "started", "stop": "stopped", "delete": "deleted"}[action]
