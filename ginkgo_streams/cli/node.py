"""`ginkgo node`: list, show, disable, enable."""

from __future__ import annotations

from typing import Annotated

import typer

from ginkgo_streams.cli import render
from ginkgo_streams.cli.schedule import Json, Timeout, ask, moved_lines, node_lines

app = typer.Typer(help="The execution nodes: look at them, take them out, bring them back.", no_args_is_help=True, rich_markup_mode=None)

NodeId = Annotated[str, typer.Argument(metavar="NODE", help="The node's id.")]


@app.command("list")
def list_nodes(as_json: Json = False) -> None:
    """List the nodes: those that are up, disabled, or were seen before and are gone."""
    from ginkgo_streams.schedule.plan import read_plan

    nodes = ask(read_plan).nodes
    if as_json:
        render.show_json(nodes)
    else:
        typer.echo("\n".join(node_lines(nodes)))


@app.command()
def show(node_id: NodeId, as_json: Json = False) -> None:
    """Show a node with its slots and portfolios."""
    from ginkgo_streams.schedule.change import known
    from ginkgo_streams.schedule.plan import read_plan

    plan = ask(read_plan)
    node = known(plan, node_id)
    slots = [slot for slot in plan.slots if slot.slot in node.slots]
    if as_json:
        render.show_json({"node": node, "slots": slots})
        return
    lines = [f"Node: {node.node_id}", f"Status: {node.status}", f"Host: {node.host or '-'}"]
    lines += [f"Since: {render.moment(node.changed_at) if node.changed_at else '-'}"]
    lines += [f"{name}: {value}" for name, value in (("Reason", node.reason), ("By", node.issued_by)) if value]
    lines += [f"Portfolios: {node.portfolios} of {node.capacity or 'any number'}", f"Standby copies: {len(node.standbys)} slots", "Slots:"]
    lines += [f"- {slot.slot}: {', '.join(slot.portfolio_ids) or 'no portfolios'}{' (pinned)' if slot.pinned_to else ''}" for slot in slots]
    typer.echo("\n".join(lines if slots else [*lines, "(none)"]))


@app.command()
def disable(
    node_id: NodeId,
    reason: Annotated[str, typer.Option(help="Why: it is kept and shown.")],
    timeout: Timeout = 30,
    as_json: Json = False,
) -> None:
    """Move a node's portfolios to the others and keep it idle, and wait until they run there. The node stays up."""
    from ginkgo_streams.schedule.change import disable as take_out

    done = ask(lambda connection: take_out(connection, node_id, reason, wait_s=timeout))
    if as_json:
        render.show_json(done)
    else:
        typer.echo("\n".join([f"Node {node_id} is disabled", *moved_lines(done.moved, done.seconds)]))


@app.command()
def enable(
    node_id: NodeId,
    reason: Annotated[str, typer.Option(help="Why: it is kept.")] = "",
    timeout: Timeout = 30,
    as_json: Json = False,
) -> None:
    """Let a node take portfolios again, and wait until its share runs on it."""
    from ginkgo_streams.schedule.change import enable as bring_back

    done = ask(lambda connection: bring_back(connection, node_id, reason, wait_s=timeout))
    if as_json:
        render.show_json(done)
    else:
        typer.echo("\n".join([f"Node {node_id} is enabled", *moved_lines(done.moved, done.seconds)]))
