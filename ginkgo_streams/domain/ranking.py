"""Ranking codes by their daily bars; of equals the code that sorts first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.bars import History


def strongest(days: History, lookback: int, count: int) -> list[str]:
    """The codes that rose most over the last `lookback` days, best first, at most `count`; codes without that many days are left out."""
    known = days.part(days.warm(lookback + 1))
    closes = known.last("close", lookback + 1)
    return _first(known.codes, closes[:, -1] / closes[:, 0], count)


def most_traded(days: History, lookback: int, count: int) -> list[str]:
    """The codes with the greatest amount traded over the last `lookback` days, best first, at most `count`."""
    known = days.part(days.warm(lookback, "amount"))
    return _first(known.codes, known.last("amount", lookback).sum(axis=1).astype(np.float64), count)


def _first(codes: list[str], score: NDArray[np.float64], count: int) -> list[str]:
    order = np.lexsort((np.array(codes), -score))[:count]
    return [codes[i] for i in order.tolist()]
