"""`ginkgo schedule`: plan, migrate, unpin, rebalance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ginkgo_streams.cli import render

if TYPE_CHECKING:
    from ginkgo_streams.schedule.change import Moved
    from ginkgo_streams.schedule.connection import Connection
    from ginkgo_streams.schedule.plan import NodePlan

T = TypeVar("T")

app = typer.Typer(help="See and change where portfolios run.", no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[str, typer.Argument(metavar="PORTFOLIO_ID", help="The portfolio's id.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds to wait until the effect is seen.")]


def ask(question: Callable[[Connection], Awaitable[T]]) -> T:
    """The answer to a question about the cluster of the settings."""
    import asyncio

    from ginkgo_streams.config import load_settings
    from ginkgo_streams.schedule.connection import connected

    settings = load_settings()

    async def work() -> T:
        async with connected(settings) as connection:
            return await question(connection)

    return asyncio.run(work())


@app.command()
def plan(
    as_json: Json = False,
    every: Annotated[bool, typer.Option("--all", help="Slots without portfolios, too.")] = False,
) -> None:
    """Show nodes and slots: portfolios, standby copies, lag and pins."""
    from ginkgo_streams.schedule.plan import read_plan

    found = ask(lambda connection: read_plan(connection, lag=True))
    if as_json:
        render.show_json(found)
        return
    typer.echo("\n".join([*node_lines(found.nodes), ""]))
    shown = [slot for slot in found.slots if every or slot.portfolio_ids or slot.pinned_to]
    header = ("SLOT", "NODE", "PORTFOLIOS", "STANDBY", "LAG", "PINNED TO")
    rows = [
        (
            str(slot.slot),
            slot.node_id if slot.node_id == slot.running_on else f"{slot.running_on or '-'} > {slot.node_id or '-'}",
            str(len(slot.portfolio_ids)),
            ",".join(slot.standbys) or "-",
            str(slot.lag),
            slot.pinned_to or "-",
        )
        for slot in shown
    ]
    typer.echo("\n".join(render.columns(header, rows)))
    if hidden := len(found.slots) - len(shown):
        typer.echo(f"and {hidden} slots without portfolios (--all)")
    if not found.settled:
        typer.echo("The placement is changing: ask again in a second")


def node_lines(nodes: Sequence[NodePlan]) -> list[str]:
    """The nodes as a table."""
    header = ("NODE", "STATUS", "PORTFOLIOS", "CAPACITY", "SLOTS", "STANDBYS", "SINCE", "WHY")
    rows = []
    for node in nodes:
        since = render.moment(node.changed_at) if node.changed_at else "-"
        why = f"{node.reason or '-'}{f' ({node.issued_by})' if node.issued_by and node.issued_by != node.node_id else ''}"
        counts = (str(node.portfolios), str(node.capacity or "-"), str(len(node.slots)), str(len(node.standbys)))
        rows.append((node.node_id, node.status, *counts, since, why))
    return render.columns(header, rows) if rows else ["No nodes"]


@app.command()
def migrate(
    portfolio_id: Id,
    to: Annotated[str, typer.Option("--to", metavar="NODE", help="The node it has to run on.")],
    timeout: Timeout = 30,
    as_json: Json = False,
) -> None:
    """Move a portfolio to a node, with the others of its slot, and wait until it is seen running there. It stays pinned to that node."""
    from ginkgo_streams.schedule.change import migrate as move

    done = ask(lambda connection: move(connection, portfolio_id, to, wait_s=timeout))
    if as_json:
        render.show_json(done)
        return
    if done.source == done.target:
        typer.echo(f"Portfolio {portfolio_id} runs on {to} already; its slot {done.slot} is pinned there now")
    else:
        typer.echo(f"Portfolio {portfolio_id} runs on {to}, moved from {done.source} in {done.seconds:.2f} s")
        typer.echo(f"Slot {done.slot} is pinned there")
    if done.along:
        typer.echo("\n".join([f"{len(done.along)} of its slot moved along:", *(f"- {each}" for each in done.along)]))


@app.command()
def unpin(
    portfolio_id: Annotated[str | None, typer.Argument(metavar="[PORTFOLIO_ID]", help="The portfolio whose slot is free again.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All pins.")] = False,
    as_json: Json = False,
) -> None:
    """Take back the pin that a migration left."""
    from ginkgo_streams.schedule.change import unpin as take_back

    if (portfolio_id is None) is not every:
        raise typer.BadParameter("name a portfolio, or give --all")
    slots = ask(lambda connection: take_back(connection, portfolio_id))
    if as_json:
        render.show_json({"slots": slots})
    else:
        typer.echo(f"Unpinned slot{'s'[: len(slots) != 1]} {', '.join(map(str, slots))}" if slots else "Nothing was pinned")


@app.command()
def rebalance(timeout: Timeout = 30, as_json: Json = False) -> None:
    """Place the portfolios anew, as evenly as pins and capacities allow, and wait until they run where they belong."""
    from ginkgo_streams.schedule.change import rebalance as even_out

    done = ask(lambda connection: even_out(connection, wait_s=timeout))
    if as_json:
        render.show_json(done)
        return
    typer.echo("\n".join(moved_lines(done.moved, done.seconds)) if done.moved else "Balanced already: nothing moved")


def moved_lines(moved: tuple[Moved, ...], seconds: float) -> list[str]:
    """What has moved, by pairs of nodes."""
    portfolios = sum(len(each.portfolio_ids) for each in moved)
    lines = [f"Moved {len(moved)} slots with {portfolios} portfolios in {seconds:.2f} s"]
    for pair in sorted({(each.source, each.target) for each in moved}):
        ids = [portfolio_id for each in moved if (each.source, each.target) == pair for portfolio_id in each.portfolio_ids]
        lines += [f"{pair[0] or '-'} > {pair[1]}: {len(ids)} portfolios", *(f"- {portfolio_id}" for portfolio_id in ids)]
    return lines
