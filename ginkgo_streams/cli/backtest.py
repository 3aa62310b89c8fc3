"""`ginkgo backtest`: run, compare, sweep, check. No server is needed but for --portfolio-id, which asks the database."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ginkgo_streams.cli import render

if TYPE_CHECKING:
    from ginkgo_streams.backtest.machine import RunFailed
    from ginkgo_streams.backtest.prepare import Request
    from ginkgo_streams.backtest.result import Result

app = typer.Typer(help="Backtest portfolios on stored bars: the live system without its servers.", no_args_is_help=True, rich_markup_mode=None)

PortfolioId = Annotated[str | None, typer.Option(help="A portfolio of the database.")]
Config = Annotated[Path | None, typer.Option(help="JSON or YAML file with a portfolio: its config, or name, initial_cash and config.")]
BarsPath = Annotated[Path | None, typer.Option(help="CSV or Parquet file of bars, or a folder of such files.")]
Start = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First date.")]
End = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last date.")]
Market = Annotated[str, typer.Option(help="CN: the A-share market with its rules; GENERIC: none.", metavar="CN|GENERIC")]
Code = Annotated[str | None, typer.Option(help="The code of a file that names none.")]
Actions = Annotated[Path | None, typer.Option(help="File of dividends and splits: ex_date, cash, split (and code).")]
BarTime = Annotated[str, typer.Option(help="Whether times in the file are those of a bar's end or start.", metavar="end|start")]
Cash = Annotated[str | None, typer.Option(metavar="CNY", help="Cash to begin with.", show_default="that of the file, else 1000000")]
CommissionRate = Annotated[str | None, typer.Option(metavar="RATE", help="Commission as a fraction of the amount.")]
MinCommission = Annotated[str | None, typer.Option(metavar="CNY", help="Least commission of an order.")]
Slippage = Annotated[float | None, typer.Option(metavar="RATE", help="How much worse market orders fill, a fraction of the price.")]
Participation = Annotated[float | None, typer.Option(help="Share of a bar's volume that orders may take.")]
Finalize = Annotated[bool, typer.Option("--finalize", help="Close what is held at the end at the last close.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("run")
def run(
    config: Config = None, bars: BarsPath = None, portfolio_id: PortfolioId = None, start_date: Start = None, end_date: End = None,
    market: Market = "CN", code: Code = None, actions: Actions = None, bar_time: BarTime = "end", initial_cash: Cash = None,
    commission_rate: CommissionRate = None, min_commission: MinCommission = None, slippage: Slippage = None,
    participation: Participation = None, finalize: Finalize = False, as_json: Json = False,
    report: Annotated[Path | None, typer.Option(help="Write a report, one HTML file.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the JSON to a file, too.")] = None,
) -> None:  # fmt: skip
    """Run one portfolio over stored bars."""
    request = _request(
        config, bars, portfolio_id, start_date, end_date, market, code, actions, bar_time, initial_cash, commission_rate, min_commission,
        slippage, participation, finalize,
    )  # fmt: skip
    result, plan = _run(request, as_json)
    from ginkgo_streams.backtest.result import encode_result

    if output is not None:
        output.write_bytes(encode_result(result))
    if report is not None:
        from ginkgo_streams.backtest.report import write_report

        write_report(report, result, plan.bars)
    if as_json:
        typer.echo(encode_result(result).decode())
        return
    from ginkgo_streams.backtest.words import summary_lines

    for line in summary_lines(result):
        typer.echo(line)
    if report is not None:
        typer.echo(f"Report: {report}")


def _request(
    config: Path | None, bars: Path | None, portfolio_id: str | None, start: datetime | None, end: datetime | None, market: str,
    code: str | None, actions: Path | None, bar_time: str, initial_cash: str | None, commission_rate: str | None,
    min_commission: str | None, slippage: float | None, participation: float | None, finalize: bool,
) -> Request:  # fmt: skip
    from ginkgo_streams.backtest.prepare import Fees, Request, read_spec

    if (config is None) == (portfolio_id is None):
        raise typer.BadParameter("give a portfolio: --config with a file, or --portfolio-id with one of the database")
    if market not in ("CN", "GENERIC"):
        raise typer.BadParameter(f"{market!r} is neither CN nor GENERIC", param_hint="--market")
    if bar_time not in ("end", "start"):
        raise typer.BadParameter(f"{bar_time!r} is neither end nor start", param_hint="--bar-time")
    if config is not None:
        spec = read_spec(config, initial_cash)
    else:
        from ginkgo_streams.backtest.stored import stored_spec

        assert portfolio_id is not None
        spec = stored_spec(portfolio_id, initial_cash)
    if bars is None:
        from ginkgo_streams.backtest.stored import stored_bars

        bars = stored_bars()
    fees = Fees(commission_rate=commission_rate, min_commission=min_commission, slippage_rate=slippage, participation=participation)
    return Request(
        bars=bars, spec=spec, market="CN" if market == "CN" else "GENERIC", fees=fees, start=start.date() if start else None,
        end=end.date() if end else None, actions=actions, code=code, stamp="end" if bar_time == "end" else "start", finalize=finalize,
    )  # fmt: skip


def _run(request: Request, as_json: bool) -> tuple[Result, Any]:
    """The result, and the plan it came from. Ends the process with the traceback of a component that raised."""
    from ginkgo_streams.backtest.machine import RunFailed
    from ginkgo_streams.backtest.prepare import make_plan
    from ginkgo_streams.backtest.result import results
    from ginkgo_streams.backtest.run import run as drive

    plan = make_plan(request)
    for warning in plan.bars.warnings:
        typer.echo(f"[WARNING] {warning}", err=True)
    begun = time.perf_counter()
    try:
        with progress(len(plan.bars), "bars") as advance:
            machine = drive(plan, advance)
    except RunFailed as error:
        failed(error, as_json)
    return results(plan, machine, time.perf_counter() - begun)[0], plan


def failed(error: RunFailed, as_json: bool) -> None:
    """Says where a run failed, with the component's own traceback, and ends the process with 1."""
    lines = traceback.format_exception(error.error) if error.error is not None else []
    if as_json:
        render.show_json({"error": True, "message": str(error), "traceback": "".join(lines)})
    typer.echo("".join(lines), err=True, nl=False)
    typer.echo(f"[ERROR] {error}", err=True)
    raise typer.Exit(1)


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where that is a terminal, with the rate and the time left; gives what tells it how much is done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %  {task.fields[rate]:,.0f} " + what + "/s"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("run", total=total, rate=0.0)
        begun = shown = time.perf_counter()

        def advance(done: int) -> None:
            nonlocal shown
            now = time.perf_counter()
            if now - shown >= 0.1 or done == total:
                shown = now
                bar.update(task, completed=done, rate=done / max(now - begun, 1e-9))

        yield advance
