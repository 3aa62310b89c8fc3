"""`ginkgo portfolio`: list, show, status, positions, start, stop, delete; create and update are in files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ginkgo_streams.cli import portfolio_create, portfolio_update, render

if TYPE_CHECKING:
    from ginkgo_streams.config import Settings
    from ginkgo_streams.portfolios.control import Action
    from ginkgo_streams.storage.portfolios import PortfolioStore

app = typer.Typer(help="Create portfolios, look at them, change, start and stop them.", no_args_is_help=True, rich_markup_mode=None)
app.command("create")(portfolio_create.create)
app.command("update")(portfolio_update.update)
app.command("history")(portfolio_update.history)
app.command("rollback")(portfolio_update.rollback)

Id = Annotated[str, typer.Argument(metavar="PORTFOLIO_ID", help="The portfolio's id.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Timeout = Annotated[float, typer.Option(min=0, help="Seconds to wait for the effect.")]


def _open() -> tuple[Settings, PortfolioStore]:
    from ginkgo_streams.config import load_settings
    from ginkgo_streams.portfolios.store import open_store

    settings = load_settings()
    return settings, open_store(settings)


@app.command("list")
def list_portfolios(
    user_id: Annotated[str | None, typer.Option(help="Only this user's.")] = None,
    status: Annotated[str | None, typer.Option(help="Only those in this status.")] = None,
    as_json: Json = False,
) -> None:
    """List the portfolios, oldest first."""
    from ginkgo_streams.portfolios.read import portfolio_statuses

    _, store = _open()
    found = portfolio_statuses(store, user_id=user_id, status=status)
    if as_json:
        render.show_json(found)
        return
    if not found:
        typer.echo("No portfolios")
        return
    header = ("PORTFOLIO", "NAME", "USER", "STATUS", "CASH", "TOTAL VALUE", "POSITIONS", "NODE")
    rows = [
        (
            s.portfolio_id,
            s.name,
            s.user_id,
            s.status,
            render.cny(s.cash),
            render.cny(s.total_value),
            str(s.position_count),
            s.node_id or "-",
        )
        for s in found
    ]
    typer.echo("\n".join(render.columns(header, rows)))


@app.command()
def show(portfolio_id: Id, as_json: Json = False) -> None:
    """Show a portfolio with its config, positions, open orders and what was dropped."""
    import yaml

    from ginkgo_streams.portfolios.crud import position_record
    from ginkgo_streams.portfolios.read import portfolio_details

    _, store = _open()
    status, config, snapshot = portfolio_details(store, portfolio_id)
    if as_json:
        render.show_json({"portfolio": status, "config": config, "snapshot": snapshot})
        return
    lines = [*render.status_lines(status), f"User: {status.user_id}", f"Initial Cash: {render.cny(status.initial_cash)}"]
    lines += [f"Version: {status.version}", f"Orders: {status.orders}", f"Fills: {status.fills}", ""]
    if snapshot is not None:
        lines += [*render.position_lines([position_record(position) for position in snapshot.positions]), ""]
        lines += ["Open orders:", *(f"- {order}" for order in snapshot.open_orders), ""] if snapshot.open_orders else []
        lines += (
            ["Dropped signals:", *(f"- {reason}: {count}" for reason, count in sorted(snapshot.drops.items())), ""]
            if snapshot.drops
            else []
        )
    typer.echo("\n".join([*lines, "Config:", yaml.safe_dump(config, sort_keys=False, allow_unicode=True).rstrip()]))


@app.command()
def status(portfolio_id: Id, as_json: Json = False) -> None:
    """Show a portfolio's status, cash and value."""
    from ginkgo_streams.portfolios.read import portfolio_status

    _, store = _open()
    found = portfolio_status(store, portfolio_id)
    if as_json:
        render.show_json(found)
    else:
        typer.echo("\n".join(render.status_lines(found)))


@app.command()
def positions(portfolio_id: Id, as_json: Json = False) -> None:
    """Show a portfolio's positions."""
    from ginkgo_streams.portfolios.crud import position_record
    from ginkgo_streams.portfolios.read import portfolio_positions

    _, store = _open()
    found = [position_record(view) for view in portfolio_positions(store, portfolio_id)]
    if as_json:
        render.show_json(found)
    else:
        typer.echo("\n".join(render.position_lines(found)))


@app.command()
def start(portfolio_id: Id, timeout: Timeout = 30, as_json: Json = False) -> None:
    """Start a portfolio and wait until it runs."""
    _change(portfolio_id, "start", timeout, as_json)


@app.command()
def stop(portfolio_id: Id, timeout: Timeout = 30, as_json: Json = False) -> None:
    """Stop a portfolio and wait until it has stopped: open orders are cancelled, fills in flight land."""
    _change(portfolio_id, "stop", timeout, as_json)


@app.command()
def delete(
    portfolio_id: Id,
    force: Annotated[bool, typer.Option("--force", help="With positions, too.")] = False,
    timeout: Timeout = 30,
    as_json: Json = False,
) -> None:
    """Delete a portfolio that is stopped and holds nothing."""
    _change(portfolio_id, "delete", timeout, as_json, force=force)


def _change(portfolio_id: str, action: Action, timeout: float, as_json: bool, *, force: bool = False) -> None:
    from ginkgo_streams.portfolios.control import change

    settings, store = _open()
    outcome = change(settings, store, portfolio_id, action, force=force, wait_s=timeout)
    if as_json:
        render.show_json({"portfolio_id": portfolio_id, "done": outcome.done, "status": outcome.status, "message": outcome.text})
    else:
        typer.echo(outcome.text if outcome.done else f"[ERROR] {outcome.text}", err=not outcome.done)
    raise typer.Exit(0 if outcome.done else 1)
