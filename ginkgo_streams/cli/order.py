"""`ginkgo order`: list the open orders of a portfolio, cancel one."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from ginkgo_streams.cli import render

app = typer.Typer(help="Look at a portfolio's open orders, and cancel one.", no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[str, typer.Argument(metavar="PORTFOLIO_ID", help="The portfolio's id.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_orders(portfolio_id: Id, as_json: Json = False) -> None:
    """List the open orders of a portfolio, oldest first."""
    from ginkgo_streams.config import load_settings
    from ginkgo_streams.portfolios.read import portfolio_details
    from ginkgo_streams.portfolios.store import open_store

    _, _, snapshot = portfolio_details(open_store(load_settings()), portfolio_id)
    orders = snapshot.open_orders if snapshot is not None else []
    if as_json:
        render.show_json(orders)
        return
    header = ("ORDER", "CODE", "SIDE", "VOLUME", "FILLED", "PRICE", "STATUS", "SINCE")
    rows = [
        (
            o["order_id"], o["code"], "BUY" if o["direction"] > 0 else "SELL", str(o["volume"]), str(o["filled_volume"]), f"{o['price']:g}",
            o["status"], render.moment(o["timestamp"]),
        )
        for o in orders
    ]  # fmt: skip
    typer.echo("\n".join(render.columns(header, rows)) if rows else "No open orders")


@app.command()
def cancel(
    portfolio_id: Id,
    order_id: Annotated[str, typer.Argument(metavar="ORDER_ID", help="The order's id.")],
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for the effect.")] = 30,
    as_json: Json = False,
) -> None:
    """Cancel what is left of an order, and wait until the exchange has ended it."""
    from ginkgo_streams.config import load_settings
    from ginkgo_streams.portfolios.cancel import cancel_order
    from ginkgo_streams.portfolios.store import open_store

    settings = load_settings()
    seen = cancel_order(settings, open_store(settings), portfolio_id, order_id, issued_by=getpass.getuser(), wait_s=timeout)
    if as_json:
        render.show_json(
            {"portfolio_id": portfolio_id, "order_id": order_id, "done": seen.done, "status": seen.status, "message": seen.text}
        )
    else:
        typer.echo(seen.text if seen.done else f"[ERROR] {seen.text}", err=not seen.done)
    raise typer.Exit(0 if seen.done else 1)
