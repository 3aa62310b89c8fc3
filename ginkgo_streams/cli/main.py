"""The program `ginkgo`: its commands, and how errors reach the user. Exit status: 0 done, 1 refused or failed, 2 wrong usage."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from ginkgo_streams.cli import backtest, components, engine, logs, node, order, portfolio, run, schedule

app = typer.Typer(
    name="ginkgo", help="Many live trading portfolios on a cluster of Faust workers.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False, rich_markup_mode=None,
)  # fmt: skip
_debug = False


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug messages.")] = False) -> None:
    """Many live trading portfolios on a cluster of Faust workers."""
    global _debug
    _debug = debug
    logs.configure(logging.DEBUG if debug else logging.WARNING)


app.add_typer(portfolio.app, name="portfolio")
app.add_typer(order.app, name="order")
app.add_typer(backtest.app, name="backtest")
app.add_typer(components.app, name="components")
app.add_typer(run.worker, name="worker")
app.add_typer(run.livecore, name="livecore")
app.add_typer(engine.app, name="engine")
app.add_typer(schedule.app, name="schedule")
app.add_typer(node.app, name="node")


def _register_others(arguments: Sequence[str]) -> None:
    """Adds the commands of the local stack, the audit and the demo, unless another one is asked for: they load every client there is,
    and `ginkgo portfolio status` should not wait for that."""
    if next((each for each in arguments if not each.startswith("-")), "") in {group.name for group in app.registered_groups}:
        return
    from ginkgo_streams.cli import audit, demo, local

    local.register(app)
    audit.register(app)
    demo.register(app)


def main() -> None:
    """Runs the command of the process's arguments and ends the process."""
    try:
        _register_others(sys.argv[1:])
        app(prog_name="ginkgo")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if _debug:
            raise
        sys.exit(_failed(error))


def _failed(error: Exception) -> int:
    """Says what went wrong; an error that is not one of ours is a bug or a broken machine, and says so."""
    ours = type(error).__module__.startswith("ginkgo_streams")
    text = str(error) if ours else f"{type(error).__name__}: {error}; run again with `ginkgo --debug` for the details"
    typer.echo(f"[ERROR] {text}", err=True)
    if "--json" in sys.argv[1:]:
        from ginkgo_streams.cli.render import show_json

        show_json({"error": True, "message": text})
    return 1


if __name__ == "__main__":
    main()
