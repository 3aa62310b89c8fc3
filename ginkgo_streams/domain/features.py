"""Named features of a code, from its windows: what a model is given. A name is what it measures and over how many values: "rsi_14"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain import indicators as i
from ginkgo_streams.domain.bars import MAX_LENGTH, Field

Windows = Mapping[Field, NDArray[np.int64]]
Column = NDArray[np.float64]


class Feature(NamedTuple):
    """fields: what it looks at. more: values beyond its period. value: (windows, period) -> its newest value of each code, shape (n,)."""

    fields: tuple[Field, ...]
    more: int
    value: Callable[[Windows, int], Column]
    meaning: str


def _divided(above: NDArray[Any], below: NDArray[Any]) -> Column:
    """NaN where below is 0."""
    return np.asarray(np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0), np.float64)


def _far(w: Windows, mark: NDArray[Any]) -> Column:
    """How far the close is from a mark, ratio."""
    return np.asarray(_divided(w["close"][:, -1], mark) - 1, np.float64)


def _volume(w: Windows, n: int) -> Column:
    return _divided(w["volume"][:, -1], w["volume"][:, -n - 1 : -1].mean(axis=1))


def _atr(w: Windows, n: int) -> Column:
    high, low, close = (w[field][:, -n - 1 :] for field in ("high", "low", "close"))
    return _divided(i.atr(high, low, close, n)[:, -1], close[:, -1])


FEATURES: Mapping[str, Feature] = {
    "return": Feature(("close",), 1, lambda w, n: _far(w, w["close"][:, -n - 1]), "rise over n closes, ratio"),
    "sma_ratio": Feature(("close",), 0, lambda w, n: _far(w, i.sma(w["close"][:, -n:], n)[:, -1]), "distance from the mean of n, ratio"),
    "high_ratio": Feature(("close",), 0, lambda w, n: _far(w, w["close"][:, -n:].max(axis=1)), "distance from the highest of n, ratio"),
    "low_ratio": Feature(("close",), 0, lambda w, n: _far(w, w["close"][:, -n:].min(axis=1)), "distance from the lowest of n, ratio"),
    "zscore": Feature(("close",), 0, lambda w, n: i.zscore(w["close"][:, -n:], n)[:, -1], "distance from the mean of n, deviations"),
    "rsi": Feature(("close",), 1, lambda w, n: i.rsi(w["close"][:, -n - 1 :], n)[:, -1], "relative strength of n moves, 0 to 100"),
    "volatility": Feature(("close",), 1, lambda w, n: i.returns(w["close"][:, -n - 1 :]).std(axis=1), "deviation of n returns, ratio"),
    "volume_ratio": Feature(("close", "volume"), 1, _volume, "volume against the mean of the n before it, ratio"),
    "atr_ratio": Feature(("close", "high", "low"), 1, _atr, "mean of n true ranges against the close, ratio"),
}
"""What there is, by the part of the name before its last underscore."""


def parse(name: str) -> tuple[Feature, int]:
    """A feature and its period. Raises ValueError for a name that is none."""
    kind, _, period = name.rpartition("_")
    feature = FEATURES.get(kind)
    if feature is None or not period.isascii() or not period.isdigit() or not 1 <= int(period) <= MAX_LENGTH - 1:
        known = ", ".join(f"{each}_N" for each in FEATURES)
        raise ValueError(f"{name!r} is no feature; known, with N from 1 to {MAX_LENGTH - 1}: {known}")
    if kind == "volatility" and int(period) < 2:
        raise ValueError(f"{name!r}: a volatility needs at least 2 returns")
    return feature, int(period)


def length(names: tuple[str, ...]) -> int:
    """How many values of a code these features look at. Raises ValueError for a name that is none."""
    return max(period + feature.more for feature, period in map(parse, names))


def fields(names: tuple[str, ...]) -> tuple[Field, ...]:
    """Which fields these features look at, sorted."""
    return tuple(sorted({field for name in names for field in parse(name)[0].fields}))


def matrix(windows: Windows, names: tuple[str, ...]) -> NDArray[np.float32]:
    """The newest value of each feature: shape (n, len(names)). windows: each field's last `length(names)` values, shape (n, length)."""
    return np.stack([feature.value(windows, period) for feature, period in map(parse, names)], axis=1).astype(np.float32)
