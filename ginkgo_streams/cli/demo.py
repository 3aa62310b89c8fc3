"""`ginkgo demo`: everything on this machine, portfolios that trade, and an audit at the end."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ginkgo_streams.cli import render
from ginkgo_streams.demo.options import Options

_DEFAULTS = Options()


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command("demo")
    def demo(
        seconds: Annotated[
            float | None,
            typer.Option(min=1, envvar="DEMO_SECONDS", help="End after so many seconds of trading.", show_default="until Ctrl+C"),
        ] = None,
        seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market.")] = _DEFAULTS.seed,
        codes: Annotated[str, typer.Option(help="Codes to trade, with commas between them.", show_default="a dozen")] = "",
        portfolios: Annotated[int, typer.Option(min=1, max=100, help="Portfolios to create.")] = _DEFAULTS.portfolios,
        nodes: Annotated[int, typer.Option(min=1, max=16, help="Execution nodes to start.")] = _DEFAULTS.nodes,
        speed: Annotated[
            float, typer.Option(min=0.1, max=1_000, help="Updates of each code a second; one is 3 s of market time.")
        ] = _DEFAULTS.speed,
        keep: Annotated[bool, typer.Option("--keep", help="Keep the data and logs of a demo that ended well.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object; all else goes to stderr.")] = False,
    ) -> None:
        """Start a cluster of its own, let portfolios trade a simulated session on it, and prove their books at the end.

        Ctrl+C ends it properly: orders are finished, processes drained, books audited. Exit status 0: the books agree.
        """
        from rich.console import Console

        from ginkgo_streams.demo.run import run
        from ginkgo_streams.demo.stopping import Interrupted
        from ginkgo_streams.demo.summary import text

        chosen = tuple(dict.fromkeys(code.strip() for code in codes.split(",") if code.strip()))
        options = Options(seconds=seconds, seed=seed, codes=chosen, portfolios=portfolios, nodes=nodes, speed=speed, keep=keep)
        console = Console(stderr=as_json)
        try:
            summary = run(options, console)
        except Interrupted:
            typer.echo("Stopped before trading began; nothing is left running", err=True)
            sys.exit(130)
        if as_json:
            render.show_json(summary)
        else:
            typer.echo("\n".join(["", *text(summary)]))
        raise typer.Exit(0 if summary.ok else 1)
