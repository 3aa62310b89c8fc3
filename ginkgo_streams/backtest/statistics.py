"""The figures of a backtest, as docs/backtest.md defines them. Ratios are fractions: 0.1 is 10 %."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ginkgo_streams.backtest.result import Equity, OrderResult, Trade

YEAR = 252
"""Trading days that figures a year are reckoned with."""


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """None where a figure is not defined: too few days, no loss, no volatility. max_drawdown: 0 or less; its days: trading days from the
    peak to the return to it (or to the end); turnover: traded amount over mean total value, a year; exposure: mean."""

    days: int
    total_return: float
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float
    max_drawdown_days: int
    max_drawdown_start: str | None
    max_drawdown_end: str | None
    trades: int
    orders: int
    closed: int
    win_rate: float | None
    profit_factor: float | None
    turnover: float | None
    fees: float
    exposure: float


def statistics(initial: float, equity: Sequence[Equity], orders: Sequence[OrderResult], trades: Sequence[Trade]) -> Statistics:
    """The figures. initial: CNY."""
    values = np.array([row.total_value for row in equity], np.float64)
    r = returns(initial, values)
    drawdown = drawdowns(initial, values)
    deepest, days, start, end = _deepest(drawdown, equity)
    annual, volatility = annual_return(r), annual_volatility(r)
    closed = [order.profit for order in orders if order.closes and order.filled]
    gains, losses = sum(p for p in closed if p > 0), -sum(p for p in closed if p < 0)
    traded = sum(float(trade.amount) for trade in trades)
    mean = float(values.mean()) if len(values) else 0.0
    return Statistics(
        days=len(equity), total_return=float(values[-1] / initial - 1) if len(values) else 0.0, annual_return=annual, volatility=volatility,
        sharpe=sharpe(r), sortino=sortino(r), calmar=annual / -deepest if annual is not None and deepest < 0 else None,
        max_drawdown=deepest, max_drawdown_days=days, max_drawdown_start=start, max_drawdown_end=end, trades=len(trades),
        orders=len(orders),
        closed=len(closed), win_rate=sum(p > 0 for p in closed) / len(closed) if closed else None,
        profit_factor=gains / losses if losses else None, turnover=traded / mean * YEAR / len(values) if mean else None,
        fees=float(round(sum(float(trade.fees) for trade in trades), 4)),
        exposure=float(np.mean([row.exposure for row in equity])) if equity else 0.0,
    )  # fmt: skip


def returns(initial: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Simple daily returns; the first day's is on the initial cash."""
    return values / np.concatenate(([initial], values[:-1])) - 1 if len(values) else values


def annual_return(r: NDArray[np.float64]) -> float | None:
    """The constant yearly return that gives the total one."""
    total = float(np.prod(1 + r))
    return float(total ** (YEAR / len(r)) - 1) if len(r) and total > 0 else None


def annual_volatility(r: NDArray[np.float64]) -> float | None:
    """Standard deviation (n - 1) of the daily returns, times the root of the days of a year."""
    return float(r.std(ddof=1) * np.sqrt(YEAR)) if len(r) > 1 else None


def sharpe(r: NDArray[np.float64]) -> float | None:
    """Mean over standard deviation (n - 1) of the daily returns, times the root of the days of a year; the risk-free rate is 0."""
    deviation = float(r.std(ddof=1)) if len(r) > 1 else 0.0
    return float(r.mean() / deviation * np.sqrt(YEAR)) if deviation > 0 else None


def sortino(r: NDArray[np.float64]) -> float | None:
    """Mean times the days of a year over the downside risk: the root of the mean square of the negative returns, all days counted."""
    if len(r) < 2:
        return None
    downside = float(np.sqrt(np.mean(np.minimum(r, 0) ** 2)) * np.sqrt(YEAR))
    return float(r.mean() * YEAR / downside) if downside > 0 else None


def drawdowns(initial: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each day, how far the total value is below its peak so far, the initial cash included: 0 or less."""
    peak = np.maximum.accumulate(np.concatenate(([initial], values)))[1:]
    return values / peak - 1


def _deepest(drawdown: NDArray[np.float64], equity: Sequence[Equity]) -> tuple[float, int, str | None, str | None]:
    """The deepest drawdown, its length in trading days, the day of its peak (None: before the first day), the day it was over."""
    if not len(drawdown) or drawdown.min() >= 0:
        return 0.0, 0, None, None
    bottom = int(drawdown.argmin())
    before = np.flatnonzero(drawdown[:bottom] >= 0)
    after = np.flatnonzero(drawdown[bottom:] >= 0)
    start = int(before[-1]) if before.size else -1
    end = bottom + int(after[0]) if after.size else len(drawdown) - 1
    ended = equity[end].date if after.size else None
    return float(drawdown[bottom]), end - start, equity[start].date if start >= 0 else None, ended
