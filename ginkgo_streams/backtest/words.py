"""A result in words, for a terminal."""

from __future__ import annotations

from ginkgo_streams.backtest.result import Result


def percent(value: float | None) -> str:
    """A fraction as percent, "-" where it is not defined."""
    return "-" if value is None else f"{value:.2%}"


def figure(value: float | None) -> str:
    """A ratio with two decimals, "-" where it is not defined."""
    return "-" if value is None else f"{value:.2f}"


def statistics_rows(result: Result) -> list[tuple[str, str]]:
    """What and its figure, in the order in which people look at them."""
    s = result.statistics
    length = f"{s.max_drawdown_days} days" + ("" if s.max_drawdown_end or not s.max_drawdown else ", not over")
    return [
        ("Initial cash", f"{result.initial_cash:,.2f}"), ("Final value", f"{result.final_value:,.2f}"),
        ("Total return", percent(s.total_return)), ("Annual return", percent(s.annual_return)), ("Volatility", percent(s.volatility)),
        ("Sharpe", figure(s.sharpe)), ("Sortino", figure(s.sortino)), ("Calmar", figure(s.calmar)),
        ("Max drawdown", f"{percent(s.max_drawdown)} ({length})"), ("Trades", f"{s.trades} fills of {s.orders} orders"),
        ("Win rate", f"{percent(s.win_rate)} of {s.closed} closing orders"), ("Profit factor", figure(s.profit_factor)),
        ("Turnover", f"{figure(s.turnover)} a year"), ("Fees", f"{s.fees:,.2f}"), ("Exposure", percent(s.exposure)),
    ]  # fmt: skip


def summary_lines(result: Result) -> list[str]:
    """The result on one screen."""
    rate = f", {result.bars / result.seconds:,.0f} bars/s" if result.seconds else ""
    size = f"{result.bars:,} bars of {len(result.codes)} codes ({result.market}){rate}"
    head = f"{result.name}: {result.start_date} to {result.end_date}, {size}"
    lines = [head, *(f"  {name:<14} {value}" for name, value in statistics_rows(result))]
    if result.refusals:
        lines.append("  Signals without an order: " + ", ".join(f"{reason} {count}" for reason, count in result.refusals.items()))
    for held in result.positions:
        lines.append(f"  Held: {held.code} {held.volume} @ {held.price:.2f} = {held.market_value:,.2f}")
    return lines
