"""`ginkgo engine`: the kill switch. stop, start, status; of everything, of one portfolio, of one code."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ginkgo_streams.cli import render

if TYPE_CHECKING:
    from ginkgo_streams.config import Settings
    from ginkgo_streams.halts import EngineStatus, Outcome, TargetStatus

app = typer.Typer(help="Stop all trading, or that of a portfolio or a code; start it again.", no_args_is_help=True, rich_markup_mode=None)

Portfolio = Annotated[str | None, typer.Option("--portfolio", metavar="PORTFOLIO_ID", help="Only this portfolio.")]
Code = Annotated[str | None, typer.Option("--code", help="Only this code, such as 000001.SZ.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: it is kept, and shown by status.")]
By = Annotated[str | None, typer.Option("--by", help="Who.", show_default="the user of this machine")]
Timeout = Annotated[float, typer.Option(min=0, help="Seconds to wait for the exchange's confirmation.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def stop(
    portfolio: Portfolio = None,
    code: Code = None,
    mode: Annotated[
        str, typer.Option(metavar="[halt|reduce]", help="halt: nothing but cancels passes. reduce: orders that shrink a position pass too.")
    ] = "halt",
    reason: Reason = "",
    by: By = None,
    timeout: Timeout = 30,
    as_json: Json = False,
) -> None:
    """Cancel all open orders and refuse new ones until `start`; answers when the exchange has confirmed.

    Exit status 0: it has. 1: it has not within the time-out; what has not is named, and the command stays in force.
    """
    from ginkgo_streams.halts import stop_engine_now

    if mode not in ("halt", "reduce"):
        raise typer.BadParameter(f"{mode!r}: give halt or reduce", param_hint="--mode")
    settings, target = _target(portfolio, code)
    chosen: Literal["halt", "reduce"] = "halt" if mode == "halt" else "reduce"
    _answer(stop_engine_now(settings, target, mode=chosen, reason=reason, issued_by=_who(by), wait_s=timeout), as_json)


@app.command()
def start(
    portfolio: Portfolio = None, code: Code = None, reason: Reason = "", by: By = None, timeout: Timeout = 30, as_json: Json = False
) -> None:
    """Take a stop of the same target back; stops of other targets stay."""
    from ginkgo_streams.halts import start_engine_now

    settings, target = _target(portfolio, code)
    _answer(start_engine_now(settings, target, reason=reason, issued_by=_who(by), wait_s=timeout), as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Show what is stopped, by whom, since when and why."""
    from ginkgo_streams.config import load_settings
    from ginkgo_streams.halts import engine_status_now

    found = engine_status_now(load_settings())
    if as_json:
        render.show_json(found)
    else:
        typer.echo("\n".join(_lines(found)))


def _target(portfolio: str | None, code: str | None) -> tuple[Settings, str]:
    """The settings and what is meant. A portfolio has to exist, unless the database, which a stop may not depend on, is down."""
    import msgspec

    from ginkgo_streams.config import load_settings
    from ginkgo_streams.domain.halts import ENGINE
    from ginkgo_streams.messages import Code as CodeText

    if portfolio is not None and code is not None:
        raise typer.BadParameter("give --portfolio or --code, or neither for everything")
    settings = load_settings()
    if code is not None:
        try:
            return settings, msgspec.convert(code, CodeText)
        except msgspec.ValidationError:
            raise typer.BadParameter(f"{code!r} is no code; write it as 000001.SZ", param_hint="--code") from None
    if portfolio is None:
        return settings, ENGINE
    from ginkgo_streams.portfolios.read import portfolio_row
    from ginkgo_streams.portfolios.store import open_store
    from ginkgo_streams.storage.database import StorageDown

    try:
        portfolio_row(open_store(settings), portfolio)
    except StorageDown as error:
        typer.echo(f"[WARNING] whether there is a portfolio {portfolio} is not known: {error}", err=True)
    return settings, portfolio


def _who(by: str | None) -> str:
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""


def _answer(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        render.show_json(outcome)
    else:
        typer.echo(outcome.text if outcome.done else f"[ERROR] {outcome.text}", err=not outcome.done)
    raise typer.Exit(0 if outcome.done else 1)


def _lines(found: EngineStatus) -> list[str]:
    lines = [f"Engine: {found.state}" + ("" if found.livecores else "; no livecore is running, so nothing trades")]
    if not found.targets:
        return [*lines, "Nothing was ever stopped"]
    header = ("TARGET", "STATE", "SINCE", "BY", "CONFIRMED", "ORDERS ENDED", "REASON")
    rows = [
        (each.target, _state(each), render.moment(each.since), each.issued_by or "-", _confirmed(each), str(each.ended), each.reason or "-")
        for each in found.targets
    ]
    return [*lines, *render.columns(header, rows), *(_waiting(each) for each in found.targets if each.waiting)]


def _state(each: TargetStatus) -> str:
    return f"stopped ({each.mode})" if each.stopped else "started"


def _confirmed(each: TargetStatus) -> str:
    return "yes" if each.confirmed else "no"


def _waiting(each: TargetStatus) -> str:
    orders = ", ".join(f"{order.order_id} ({order.code})" for order in each.waiting)
    return f"Still open of {each.target}: {orders}"
