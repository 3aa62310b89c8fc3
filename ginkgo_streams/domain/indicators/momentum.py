"""How far and how fast prices went."""

from __future__ import annotations

import numpy as np

from ginkgo_streams.domain.indicators.averages import sma
from ginkgo_streams.domain.indicators.ranges import highest, lowest
from ginkgo_streams.domain.indicators.rolling import Array, Values, behind, checked, ratio, smoothed, windows


def momentum(values: Values, period: int = 10) -> Array:
    """Difference to the value `period` before (MOM)."""
    given = checked(values, period)
    return behind(period, given[:, period:] - given[:, :-period], given.shape[1])


def roc(values: Values, period: int = 10) -> Array:
    """Change from the value `period` before, percent; 0 where that is 0 (ROC)."""
    given = checked(values, period)
    return behind(period, ratio(given[:, period:], given[:, :-period], 1.0) * 100 - 100, given.shape[1])


def returns(values: Values) -> Array:
    """Change from the value before, as a ratio: one column less than values."""
    given = checked(values, 1)
    return ratio(given[:, 1:], given[:, :-1], 1.0) - 1


def rsi(values: Values, period: int = 14) -> Array:
    """Relative strength index, 0 to 100, with Wilder's smoothing of gains and losses; 0 where nothing moved (RSI)."""
    given = checked(values, period)
    moves = np.diff(given, axis=1)
    up = smoothed(np.maximum(moves, 0), period - 1, period, 1 / period)
    down = smoothed(np.maximum(-moves, 0), period - 1, period, 1 / period)
    return behind(1, 100 * ratio(up, up + down, 0.0), given.shape[1])


def williams_r(high: Values, low: Values, close: Values, period: int = 14) -> Array:
    """Where the close is in the range of the last `period` bars, -100 (lowest) to 0 (highest); 0 where there is no range (WILLR)."""
    top, bottom = highest(high, period), lowest(low, period)
    return ratio(top - checked(close, period), top - bottom, 0.0) * -100


def stochastic(high: Values, low: Values, close: Values, k: int = 5, slow_k: int = 3, slow_d: int = 3) -> tuple[Array, Array]:
    """Slow %K and %D, 0 to 100 (STOCH with simple averages); both begin with %D, as in TA-Lib."""
    bottom = lowest(low, k)
    fast = ratio(checked(close, k) - bottom, highest(high, k) - bottom, 0.0) * 100
    slow = sma(fast, slow_k)
    average = sma(slow, slow_d)
    return np.where(np.isnan(average), np.nan, slow), average


def cci(high: Values, low: Values, close: Values, period: int = 14) -> Array:
    """Commodity channel index: distance of the typical price from its mean, in 0.015 mean deviations; 0 where it stands still (CCI)."""
    typical = (checked(high, period) + checked(low, period) + checked(close, period)) / 3
    seen = windows(typical, period)
    mean = seen.mean(axis=2)
    deviation = np.abs(seen - mean[:, :, None]).mean(axis=2)
    return behind(period - 1, ratio(seen[:, :, -1] - mean, 0.015 * deviation, 0.0), typical.shape[1])
