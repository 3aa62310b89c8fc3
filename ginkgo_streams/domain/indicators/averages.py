"""Averages and the spread around them."""

from __future__ import annotations

import numpy as np

from ginkgo_streams.domain.indicators.rolling import Array, Values, behind, checked, ratio, smoothed, windows


def sma(values: Values, period: int) -> Array:
    """Mean of the last `period` values (SMA)."""
    given = checked(values, period)
    return behind(period - 1, windows(given, period).mean(axis=2), given.shape[1])


def ema(values: Values, period: int) -> Array:
    """Exponential average with the share 2 / (period + 1), begun with the mean of the first `period` values (EMA)."""
    return smoothed(checked(values, period), period - 1, period, 2 / (period + 1))


def wma(values: Values, period: int) -> Array:
    """Average with the weights 1, 2 … period, the newest the most (WMA)."""
    given = checked(values, period)
    weights = np.arange(1, period + 1) / (period * (period + 1) / 2)
    return behind(period - 1, windows(given, period) @ weights, given.shape[1])


def stddev(values: Values, period: int) -> Array:
    """Standard deviation of the last `period` values, of the whole and not of a sample (STDDEV with nbdev 1)."""
    given = checked(values, period)
    return behind(period - 1, windows(given, period).std(axis=2), given.shape[1])


def zscore(values: Values, period: int) -> Array:
    """How many standard deviations a value is from the mean of the last `period`; 0 where they are all alike."""
    given = checked(values, period)
    return ratio(given - sma(values, period), stddev(values, period), 0.0)


def bollinger(values: Values, period: int = 20, width: float = 2.0) -> tuple[Array, Array, Array]:
    """Upper, middle and lower band: the mean, and `width` standard deviations around it (BBANDS with a simple average)."""
    middle, spread = sma(values, period), stddev(values, period) * width
    return middle + spread, middle, middle - spread


def macd(values: Values, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[Array, Array, Array]:
    """Fast less slow exponential average, its own average, and the difference (MACD). As in TA-Lib the fast one is begun where the slow
    one is, and all three begin with the signal. Raises ValueError unless fast < slow."""
    given = checked(values, min(fast, signal))
    if fast >= slow:
        raise ValueError(f"a fast period of {fast} and a slow one of {slow}; fast has to be less")
    line = smoothed(given, slow - 1, fast, 2 / (fast + 1)) - smoothed(given, slow - 1, slow, 2 / (slow + 1))
    average = smoothed(line, slow + signal - 2, signal, 2 / (signal + 1))
    line = np.where(np.isnan(average), np.nan, line)
    return line, average, line - average
