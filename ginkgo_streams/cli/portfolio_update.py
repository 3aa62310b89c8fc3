"""`ginkgo portfolio update`, `history`, `rollback`: another config for a portfolio, while it runs."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ginkgo_streams.cli import render
from ginkgo_streams.cli.portfolio_create import pairs, read_config

if TYPE_CHECKING:
    from ginkgo_streams.portfolios.reload import Reloaded

Id = Annotated[str, typer.Argument(metavar="PORTFOLIO_ID", help="The portfolio's id.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Timeout = Annotated[float, typer.Option(min=0, help="Seconds to wait for the effect.")]


def update(
    portfolio_id: Id,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="e.g. strategy.params.short_period=10; may be given more than once."),
    ] = None,
    codes: Annotated[str | None, typer.Option(help="Codes to watch, with commas between them: FixedSelector.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, readable=True, help="YAML or JSON file with the whole new config; options go before it."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    timeout: Timeout = 30,
    as_json: Json = False,
) -> None:
    """Change a portfolio's config while it runs, and wait until the new version runs. Open orders and positions stay."""
    from ginkgo_streams.config import load_settings
    from ginkgo_streams.portfolios.edit import BadPath, edited
    from ginkgo_streams.portfolios.reload import update as change
    from ginkgo_streams.portfolios.store import open_store

    wanted = pairs(changes, "--set")
    whole = read_config(config) if config is not None else None
    if codes is not None:
        chosen = [code.strip() for code in codes.split(",") if code.strip()]
        wanted = {"selector": {"name": "FixedSelector", "params": {"codes": chosen}}} | wanted
    if whole is None and not wanted:
        raise typer.BadParameter("say what to change: --set PATH=VALUE, --codes or --config")

    def made(present: Any) -> dict[str, Any]:
        try:
            return edited(present if whole is None else whole, wanted)
        except BadPath as error:
            raise typer.BadParameter(str(error), param_hint="--set") from None

    settings = load_settings()
    _tell(
        portfolio_id,
        change(settings, open_store(settings), portfolio_id, made, reason=reason, issued_by=getpass.getuser(), wait_s=timeout),
        as_json,
    )


def rollback(
    portfolio_id: Id,
    to: Annotated[int, typer.Option("--to", metavar="VERSION", min=1, help="The version whose config it gets back.")],
    timeout: Timeout = 30,
    as_json: Json = False,
) -> None:
    """Give a portfolio the config of an earlier version, as a new version."""
    from ginkgo_streams.config import load_settings
    from ginkgo_streams.portfolios.reload import rollback as back
    from ginkgo_streams.portfolios.store import open_store

    settings = load_settings()
    done = back(settings, open_store(settings), portfolio_id, to, issued_by=getpass.getuser(), wait_s=timeout)
    _tell(portfolio_id, done, as_json)


def history(portfolio_id: Id, as_json: Json = False) -> None:
    """Show the versions of a portfolio's config: who made each, when and why, and what it changed."""
    from ginkgo_streams.config import load_settings
    from ginkgo_streams.portfolios.reload import history as versions
    from ginkgo_streams.portfolios.store import open_store

    found = versions(open_store(load_settings()), portfolio_id)
    if as_json:
        render.show_json([
            {
                "version": each.version, "at": each.at, "issued_by": each.issued_by, "reason": each.reason, "config": each.config,
                "changes": [
                    {"path": path, **({"before": before[0]} if before else {}), **({"after": after[0]} if after else {})}
                    for path, before, after in each.changes
                ],
            }
            for each in found
        ])  # fmt: skip
        return
    for each in found:
        why = f": {each.reason}" if each.reason else ""
        typer.echo(f"Version {each.version}: {render.moment(each.at)} by {each.issued_by or '-'}{why}")
        for path, before, after in each.changes:
            typer.echo(f"  {path}: {_value(before)} -> {_value(after)}")


def _value(held: list[Any]) -> str:
    import msgspec

    return msgspec.json.encode(held[0]).decode() if held else "(none)"


def _tell(portfolio_id: str, done: Reloaded, as_json: bool) -> None:
    if as_json:
        render.show_json(
            {"portfolio_id": portfolio_id, "done": done.done, "status": done.status, "version": done.version, "message": done.text}
        )
    else:
        typer.echo(done.text if done.done else f"[ERROR] {done.text}", err=not done.done)
    raise typer.Exit(0 if done.done else 1)
