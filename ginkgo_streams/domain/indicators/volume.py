"""Volume, and how two series go together."""

from __future__ import annotations

import numpy as np

from ginkgo_streams.domain.indicators.rolling import Array, Values, behind, checked, ratio, windows


def obv(close: Values, volume: Values) -> Array:
    """On-balance volume: the volume added where the close rose and taken off where it fell, begun with the first volume (OBV)."""
    prices, traded = checked(close, 1), checked(volume, 1)
    signs = np.concatenate([np.ones((len(prices), 1)), np.sign(np.diff(prices, axis=1))], axis=1)
    return np.cumsum(signs * traded, axis=1)


def correlation(one: Values, other: Values, period: int) -> Array:
    """Pearson's correlation of the last `period` values of two series, -1 to 1; 0 where one of them stands still (CORREL)."""
    a, b = windows(checked(one, period), period), windows(checked(other, period), period)
    a, b = a - a.mean(axis=2, keepdims=True), b - b.mean(axis=2, keepdims=True)
    spread = np.sqrt((a * a).sum(axis=2) * (b * b).sum(axis=2))
    return behind(period - 1, ratio((a * b).sum(axis=2), spread, 0.0), one.shape[1])
