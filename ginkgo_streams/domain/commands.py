"""What a control command does to a portfolio. A command that cannot be done is refused with a note and an alert."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ginkgo_streams.domain import ids, memos
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.config import BadConfig, build
from ginkgo_streams.domain.events import Alert, Command, Move, Note
from ginkgo_streams.domain.ledger import Ledger
from ginkgo_streams.domain.money import parse_cny
from ginkgo_streams.domain.portfolio import KEEP_COMMANDS, KEEP_REFUSALS, Portfolio, Refusal, fail, move, settle_stop
from ginkgo_streams.domain.registry import Registry
from ginkgo_streams.domain.versions import Version


class Refused(Exception):
    """A command that cannot be done; the text says why and what to do."""


def create(registry: Registry, command: Command, changes: Changes) -> Portfolio:
    """A new portfolio, `created`; or in `error` where its config or cash is wrong, with all that is wrong in `error`."""
    params = command.params
    errors: list[str] = []
    try:
        cash = parse_cny(params.get("initial_cash"))
        if cash <= 0:
            errors.append(f"initial_cash is {params['initial_cash']!r}; it has to be more than 0")
    except ValueError as error:
        cash = 0
        errors.append(f"initial_cash: {error}")
    config = params.get("config")
    try:
        build(config if isinstance(config, Mapping) else {}, registry)
    except BadConfig as error:
        errors += error.errors
    name = params.get("name")
    if not isinstance(name, str) or not name.strip():
        errors.append(f"name is {name!r}; it has to be a text")
    cash = max(cash, 0)
    portfolio = Portfolio(
        portfolio_id=command.target_id, name=name if isinstance(name, str) else "", user_id=str(params.get("user_id") or ""),
        config=dict(config) if isinstance(config, Mapping) else {}, ledger=Ledger(initial=cash, cash=cash), created_at=command.ts,
        day=0, updated_at=command.ts, commands=[command.command_id], versions=[Version(1, command.ts, command.issued_by, "created")],
    )  # fmt: skip
    changes.mark(portfolio.portfolio_id)
    changes.notes.append(Note(portfolio_id=portfolio.portfolio_id, text=f"Portfolio created: {portfolio.portfolio_id}"))
    if errors:
        fail(portfolio, command.ts, "; ".join(errors), changes)
    return portfolio


def start(portfolio: Portfolio, registry: Registry, command: Command, changes: Changes) -> None:
    """created, stopped or error → running. Raises Refused."""
    if portfolio.status not in ("created", "stopped", "error"):
        raise Refused(f"it is {portfolio.status}; only a portfolio that is created, stopped or in error can be started")
    try:
        build(portfolio.config, registry)
    except BadConfig as error:
        raise Refused(f"its config is wrong: {error}; give it a good one with portfolio.reload") from None
    if portfolio.ledger.initial <= 0:
        raise Refused("it has no initial cash; create it anew with some")
    portfolio.error = ""
    portfolio.stop_wanted = False
    memos.forget_whole(portfolio)
    move(portfolio, "running", command.ts, by(command), changes)


def stop(portfolio: Portfolio, registry: Registry, command: Command, changes: Changes) -> None:
    """running or error: cancel what is open, book what still fills, then `stopped`. Raises Refused."""
    if portfolio.status not in ("running", "error"):
        raise Refused(f"it is {portfolio.status}; only a portfolio that is running or in error can be stopped")
    portfolio.stop_wanted = True
    if portfolio.status == "running":
        move(portfolio, "stopping", command.ts, by(command), changes)
    for order_id in portfolio.open_orders:
        ask_cancel(portfolio, order_id, command.ts, changes)
    changes.mark(portfolio.portfolio_id)
    settle_stop(portfolio, command.ts, changes)


def delete(portfolio: Portfolio, registry: Registry, command: Command, changes: Changes) -> None:
    """created or stopped, without a position (or with `force`) → deleted. Its books stay, so that a replayed create is known
    and an audit is whole. Raises Refused."""
    if portfolio.open_orders:
        raise Refused(f"it has {len(portfolio.open_orders)} open orders; stop it first")
    if portfolio.status not in ("created", "stopped"):
        raise Refused(f"it is {portfolio.status}; stop it first")
    if portfolio.ledger.positions and command.params.get("force") is not True:
        raise Refused(f"it holds {', '.join(sorted(portfolio.ledger.positions))}; sell that first, or give force")
    move(portfolio, "deleted", command.ts, by(command), changes)
    portfolio.config = {}
    portfolio.versions = []
    portfolio.strategy_state = {}
    portfolio.risk_state = {}
    portfolio.last_signals = {}


def cancel_order(portfolio: Portfolio, registry: Registry, command: Command, changes: Changes) -> None:
    """Ask for the cancel of one open order. Raises Refused."""
    order_id = command.params.get("order_id")
    if not isinstance(order_id, str) or order_id not in portfolio.open_orders:
        raise Refused(f"it has no open order {order_id!r}; look at its open orders")
    ask_cancel(portfolio, order_id, command.ts, changes)


def ask_cancel(portfolio: Portfolio, order_id: str, ts: int, changes: Changes) -> None:
    """Ask the exchange to cancel what is left of an open order."""
    order = portfolio.open_orders[order_id]
    order.cancel_ts = order.cancel_ts or ts
    changes.cancels.append(order.cancel(portfolio.portfolio_id))
    changes.mark(portfolio.portfolio_id)


MIGRATE = "portfolio.migrate"


def migrate(portfolio: Portfolio, registry: Registry, command: Command, changes: Changes) -> None:
    """Wish the portfolio, with all of its slot, onto `target_node`. It trades on until it is there. Raises Refused."""
    target = command.params.get("target_node")
    if not isinstance(target, str) or not target.strip():
        raise Refused(f"target_node is {target!r}; name the node that it has to run on")
    changes.moves.append(Move(portfolio_id=portfolio.portfolio_id, node_id=target, ts=command.ts, issued_by=command.issued_by))
    changes.notes.append(Note(portfolio_id=portfolio.portfolio_id, text=f"Portfolio {portfolio.portfolio_id} is to move to {target}"))


DOES: Mapping[str, Callable[[Portfolio, Registry, Command, Changes], None]] = {
    "portfolio.start": start, "portfolio.stop": stop, "portfolio.delete": delete, "order.cancel": cancel_order,
    MIGRATE: migrate,
}  # fmt: skip


def remember(portfolio: Portfolio, command: Command, changes: Changes) -> None:
    """Know the command again when it comes twice."""
    portfolio.commands.append(command.command_id)
    del portfolio.commands[:-KEEP_COMMANDS]
    changes.mark(portfolio.portfolio_id)


def refuse(command: Command, why: str, changes: Changes, portfolio: Portfolio | None = None) -> None:
    """Say that a command is not done, and why: also in what is seen of the portfolio, so that who sent it need not wait for more."""
    if portfolio is not None:
        portfolio.refusals.append(Refusal(command.command_id, why))
        del portfolio.refusals[:-KEEP_REFUSALS]
    text = f"Command {command.command_type} for portfolio {command.target_id} refused: {why}"
    changes.notes.append(Note(portfolio_id=command.target_id, text=text, level="warning"))
    changes.alerts.append(Alert(
        alert_id=ids.alert_id("command_refused", command.command_id), alert_type="command_refused", severity="warning",
        source=command.target_id, message=text,
        details={"command_id": command.command_id, "command_type": command.command_type, "reason": why}, ts=command.ts,
    ))  # fmt: skip


def by(command: Command) -> str:
    """Whose command it is, for the record."""
    return f"command by {command.issued_by}" if command.issued_by else "command"
