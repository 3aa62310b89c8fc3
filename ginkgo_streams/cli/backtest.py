"""`ginkgo backtest`: run, compare, sweep, check. No server is needed but for --portfolio-id, which asks the database."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ginkgo_streams.cli import render

if TYPE_CHECKING:
    from ginkgo_streams.backtest.machine import RunFailed
    from ginkgo_streams.backtest.prepare import Request
    from ginkgo_streams.backtest.result import Result

app = typer.Typer(
    help="Backtest portfolios on stored bars: the live system without its servers.", no_args_is_help=True, rich_markup_mode=None
)

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
Short = Annotated[bool, typer.Option("--short", help="GENERIC: a sell of what is not held opens a short position.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("run")
def run(
    config: Config = None, bars: BarsPath = None, portfolio_id: PortfolioId = None, start_date: Start = None, end_date: End = None,
    market: Market = "CN", code: Code = None, actions: Actions = None, bar_time: BarTime = "end", initial_cash: Cash = None,
    commission_rate: CommissionRate = None, min_commission: MinCommission = None, slippage: Slippage = None,
    participation: Participation = None, finalize: Finalize = False, short: Short = False, as_json: Json = False,
    report: Annotated[Path | None, typer.Option(help="Write a report, one HTML file.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the JSON to a file, too.")] = None,
) -> None:  # fmt: skip
    """Run one portfolio over stored bars."""
    request = _request(
        config, bars, portfolio_id, start_date, end_date, market, code, actions, bar_time, initial_cash, commission_rate, min_commission,
        slippage, participation, finalize, short,
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
    min_commission: str | None, slippage: float | None, participation: float | None, finalize: bool, short: bool,
) -> Request:  # fmt: skip
    from ginkgo_streams.backtest.prepare import Fees, NoShortSelling, Request, read_spec
    from ginkgo_streams.components import installed

    if (config is None) == (portfolio_id is None):
        raise typer.BadParameter("give a portfolio: --config with a file, or --portfolio-id with one of the database")
    if market not in ("CN", "GENERIC"):
        raise typer.BadParameter(f"{market!r} is neither CN nor GENERIC", param_hint="--market")
    if short and market != "GENERIC":
        raise typer.BadParameter(str(NoShortSelling()), param_hint="--short")
    if bar_time not in ("end", "start"):
        raise typer.BadParameter(f"{bar_time!r} is neither end nor start", param_hint="--bar-time")
    if config is not None:
        spec = read_spec(config, initial_cash)
    else:
        from ginkgo_streams.backtest.stored import stored_spec

        assert portfolio_id is not None
        spec = stored_spec(portfolio_id, initial_cash)
    files = [bars] if bars is not None else []
    if not files:
        from ginkgo_streams.backtest.stored import stored_bars

        files = stored_bars()
    fees = Fees(commission_rate=commission_rate, min_commission=min_commission, slippage_rate=slippage, participation=participation)
    return Request(
        bars=files, spec=spec, market="CN" if market == "CN" else "GENERIC", fees=fees, start=start.date() if start else None,
        end=end.date() if end else None, actions=actions, code=code, stamp="end" if bar_time == "end" else "start", finalize=finalize,
        short_selling=short, registry=installed(),
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


def failed(error: RunFailed, as_json: bool) -> NoReturn:
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


@app.command("compare")
def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json")], second: Annotated[Path, typer.Argument(metavar="B.json")],
    as_json: Json = False,
) -> None:  # fmt: skip
    """Show where two results of `ginkgo backtest run --json` differ in trades, equity, config and figures."""
    from ginkgo_streams.backtest.compare import compare as compared
    from ginkgo_streams.backtest.compare import comparison_lines
    from ginkgo_streams.backtest.result import read_result

    found = compared(read_result(first), read_result(second))
    if as_json:
        render.show_json(found)
        return
    for line in comparison_lines((str(first), str(second)), found):
        typer.echo(line)


METRICS = ("sharpe", "total_return", "annual_return", "sortino", "calmar", "max_drawdown", "volatility", "win_rate", "profit_factor")


@app.command("sweep")
def sweep(
    param: Annotated[list[str], typer.Option(metavar="PATH=VALUE,VALUE", help="A parameter and its values: strategy.short_period=5,10.")],
    config: Config = None, bars: BarsPath = None, portfolio_id: PortfolioId = None, start_date: Start = None, end_date: End = None,
    market: Market = "CN", code: Code = None, actions: Actions = None, bar_time: BarTime = "end", initial_cash: Cash = None,
    commission_rate: CommissionRate = None, min_commission: MinCommission = None, slippage: Slippage = None,
    participation: Participation = None, finalize: Finalize = False, short: Short = False, as_json: Json = False,
    metric: Annotated[str, typer.Option(help="What to sort and colour by.", metavar="|".join(METRICS))] = "sharpe",
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes at a time.", show_default="the cores there are")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a heat map, one HTML file.")] = None,
) -> None:  # fmt: skip
    """Run every combination of parameters over the same bars, and show which did how."""
    import os

    from ginkgo_streams.backtest.prepare import make_plan
    from ginkgo_streams.backtest.sweep import grid
    from ginkgo_streams.backtest.sweep import sweep as swept

    if metric not in METRICS:
        raise typer.BadParameter(f"{metric!r} is none of {', '.join(METRICS)}", param_hint="--metric")
    params = _values(param)
    request = _request(
        config, bars, portfolio_id, start_date, end_date, market, code, actions, bar_time, initial_cash, commission_rate, min_commission,
        slippage, participation, finalize, short,
    )  # fmt: skip
    plan = make_plan(request)
    with progress(len(grid(params)), "sets") as advance:
        found = swept(plan, params, jobs or os.cpu_count() or 1, advance)
    if report is not None:
        from ginkgo_streams.backtest.report.heatmap import write_heatmap

        write_heatmap(report, found, metric)
    if as_json:
        render.show_json({"metric": metric, "sets": found})
    else:
        _show_sweep(found, metric)
        if report is not None:
            typer.echo(f"Heat map: {report}")
    raise typer.Exit(0 if any(each.statistics for each in found) else 1)


def _values(texts: list[str]) -> dict[str, list[Any]]:
    import yaml

    found: dict[str, list[Any]] = {}
    for text in texts:
        path, equals, values = text.partition("=")
        if not (path.strip() and equals and values.strip()):
            raise typer.BadParameter(f"{text!r}: expected PATH=VALUE,VALUE such as strategy.short_period=5,10,20", param_hint="--param")
        found[path.strip()] = [yaml.safe_load(value) for value in values.split(",")]
    return found


def _show_sweep(found: list[Any], metric: str) -> None:
    from ginkgo_streams.backtest.words import figure, percent

    names = list(found[0].params)
    ran = sorted(
        (each for each in found if each.statistics), key=lambda each: -(each.figure(metric) if each.figure(metric) is not None else -1e18)
    )
    rows = [
        (*(str(each.params[name]) for name in names), percent(each.statistics.total_return), figure(each.statistics.sharpe),
         percent(each.statistics.max_drawdown), str(each.statistics.trades), f"{each.final_value:,.2f}")
        for each in ran
    ]  # fmt: skip
    for line in render.columns((*names, "RETURN", "SHARPE", "MAX DRAWDOWN", "TRADES", "FINAL VALUE"), rows) if rows else []:
        typer.echo(line)
    for each in found:
        if each.error:
            typer.echo(f"not run: {', '.join(f'{name}={value}' for name, value in each.params.items())}: {each.error}")
    if len(names) == 2 and ran:
        _show_grid(found, metric, names)


def _show_grid(found: list[Any], metric: str, names: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    from ginkgo_streams.backtest.report.heatmap import best_cells

    rows, columns, cells = best_cells(found, metric)
    known = [cell for row in cells for cell in row if cell is not None]
    low, high = min(known), max(known)
    typer.echo(f"\n{metric} by {names[0]} (down) and {names[1]} (across)")
    table = Table()
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for name, row in zip(rows, cells, strict=True):
        shades = [0.5 if cell is None or high == low else (cell - low) / (high - low) for cell in row]
        texts = [
            "" if cell is None else f"[black on rgb({int(230 - 150 * s)},{int(110 + 110 * s)},100)] {cell:.3g} [/]"
            for cell, s in zip(row, shades, strict=True)
        ]
        table.add_row(name, *texts)
    Console().print(table)


@app.command("check")
def check(
    config: Config = None, bars: BarsPath = None, portfolio_id: PortfolioId = None, start_date: Start = None, end_date: End = None,
    market: Market = "CN", code: Code = None, actions: Actions = None, bar_time: BarTime = "end", initial_cash: Cash = None,
    short: Short = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Test a portfolio for look-ahead: on bars cut short, and on bars with another future, nothing before may change.

    Exit status 0: nothing did. 1: something did, or the run failed.
    """
    from ginkgo_streams.backtest import lookahead
    from ginkgo_streams.backtest.machine import RunFailed
    from ginkgo_streams.backtest.prepare import make_plan

    request = _request(
        config, bars, portfolio_id, start_date, end_date, market, code, actions, bar_time, initial_cash, None, None, None, None, False,
        short,
    )  # fmt: skip
    plan = make_plan(request)
    try:
        with progress(2 * len(lookahead.CUTS), "runs") as advance:
            cuts = lookahead.check(plan, progress=advance)
    except RunFailed as error:
        failed(error, as_json)
    fine = all(cut.ok for cut in cuts)
    if as_json:
        render.show_json({"ok": fine, "cuts": cuts})
    else:
        for cut in cuts:
            verdict = f"{cut.orders} orders up to it are the same" if cut.ok else _changed(cut)
            typer.echo(f"{'ok  ' if cut.ok else 'BAD '} bars {cut.kind} behind {cut.time}: {verdict}")
        typer.echo("No look-ahead found" if fine else "[ERROR] the portfolio looks ahead: what it did before depends on what came after")
    raise typer.Exit(0 if fine else 1)


def _changed(cut: Any) -> str:
    found = [*(("gone", wish) for wish in cut.missing), *(("new", wish) for wish in cut.extra)]
    named = "; ".join(f"{how}: {w[2]} {w[1]} at {w[0]} ({w[5]})" for how, w in found[:3])
    return f"{len(found)} orders up to it changed: {named}"
