"""What the indicators are built from: moving windows along the second axis, and smoothing that goes on from value to value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]
Values = NDArray[Any]
"""Numbers of shape (codes, length)."""


def checked(values: Values, period: int) -> Array:
    """As float64. Raises ValueError for a shape that is not (codes, length) or a period that is not positive."""
    if values.ndim != 2:
        raise ValueError(f"an array of shape {values.shape}; it has to be (codes, length)")
    if period < 1:
        raise ValueError(f"a period of {period}; it has to be at least 1")
    return values.astype(np.float64)


def windows(values: Array, period: int) -> Array:
    """All windows: shape (codes, length - period + 1, period); no window where length < period."""
    if values.shape[1] < period:
        return np.zeros((values.shape[0], 0, period))
    return sliding_window_view(values, period, axis=1)


def behind(front: int, values: Array, length: int) -> Array:
    """The values with NaN in front of them, up to a length."""
    found = np.full((values.shape[0], length), np.nan)
    found[:, min(front, length) :] = values[:, : max(length - front, 0)]
    return found


def smoothed(values: Array, seed_end: int, period: int, share: float) -> Array:
    """From the mean of the `period` values up to index seed_end on, each value moves it by `share`: shape of values, NaN before."""
    codes, length = values.shape
    found = np.full((codes, length), np.nan)
    if length <= seed_end:
        return found
    level = values[:, seed_end - period + 1 : seed_end + 1].mean(axis=1)
    found[:, seed_end] = level
    for i in range(seed_end + 1, length):
        level = level + share * (values[:, i] - level)
        found[:, i] = level
    return found


def ratio(above: Array, below: Array, otherwise: float) -> Array:
    """above / below, and `otherwise` where below is 0."""
    return np.where(below == 0, otherwise, above / np.where(below == 0, 1, below))
