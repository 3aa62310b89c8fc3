"""Indicators on windows of many codes at once.

Every function takes arrays of shape (codes, length), oldest value first, and gives float64 of that shape: NaN in front, where TA-Lib
gives NaN. Values equal TA-Lib's 0.6 and later with its default settings (a test; `stddev`, `bollinger` and `correlation` to 2e-7 of the
greatest value, as TA-Lib takes differences of large sums there; `returns` and `zscore` it has not). As in TA-Lib, what is smoothed
(`ema`, `macd`, `rsi`, `atr`) begins with the first value it is given: a longer window gives another, smoother value. Inputs may be
integers; prices stay in the unit they come in. NaN in an input is not looked at. ValueError for a period that is not positive.
"""

from ginkgo_streams.domain.indicators.averages import bollinger, ema, macd, sma, stddev, wma, zscore
from ginkgo_streams.domain.indicators.momentum import cci, momentum, returns, roc, rsi, stochastic, williams_r
from ginkgo_streams.domain.indicators.ranges import atr, highest, lowest, true_range
from ginkgo_streams.domain.indicators.volume import correlation, obv

__all__ = [
    "atr", "bollinger", "cci", "correlation", "ema", "highest", "lowest", "macd", "momentum", "obv", "returns", "roc", "rsi", "sma",
    "stddev", "stochastic", "true_range", "williams_r", "wma", "zscore",
]  # fmt: skip
