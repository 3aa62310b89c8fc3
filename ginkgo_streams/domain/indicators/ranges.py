"""Ranges of prices."""

from __future__ import annotations

import numpy as np

from ginkgo_streams.domain.indicators.rolling import Array, Values, behind, checked, smoothed, windows


def highest(values: Values, period: int) -> Array:
    """The greatest of the last `period` values (MAX)."""
    given = checked(values, period)
    return behind(period - 1, windows(given, period).max(axis=2, initial=-np.inf), given.shape[1])


def lowest(values: Values, period: int) -> Array:
    """The least of the last `period` values (MIN)."""
    given = checked(values, period)
    return behind(period - 1, windows(given, period).min(axis=2, initial=np.inf), given.shape[1])


def true_range(high: Values, low: Values, close: Values) -> Array:
    """The range of a bar, the close before it included; NaN for the first (TRANGE)."""
    top, bottom, before = checked(high, 1)[:, 1:], checked(low, 1)[:, 1:], checked(close, 1)[:, :-1]
    return behind(1, np.maximum(top, before) - np.minimum(bottom, before), high.shape[1])


def atr(high: Values, low: Values, close: Values, period: int = 14) -> Array:
    """Average true range with Wilder's smoothing, begun with the mean of the first `period` true ranges (ATR)."""
    checked(high, period)
    return behind(1, smoothed(true_range(high, low, close)[:, 1:], period - 1, period, 1 / period), high.shape[1])
