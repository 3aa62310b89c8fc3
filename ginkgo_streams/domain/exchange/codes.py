"""What the exchange knows of its codes, in columns: one at a time for trading, all of a moment at once for a backtest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain import events as e
from ginkgo_streams.domain.exchange.book import CodeState
from ginkgo_streams.domain.market.profile import Profile

TS, SEQ, PRICE, DAY, PREV_CLOSE, BID, ASK = range(7)
"""Rows of the columns: the fields of `CodeState`, in its order."""


class Codes:
    """The states by code. columns: int64 of shape (7, capacity)."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._rows: dict[str, int] = {}
        self._columns: NDArray[np.int64] = np.zeros((7, 64), np.int64)
        self._class: NDArray[np.int64] = np.zeros(64, np.int64)

    def get(self, code: str) -> CodeState | None:
        """The state of a code, None where it was never seen."""
        row = self._rows.get(code)
        return None if row is None or not self._columns[TS, row] else CodeState(*self._columns[:, row].tolist())

    def put(self, code: str, state: CodeState) -> None:
        """Keep a code's state."""
        row = self.row(code)  # first: a new code may make the columns longer, which are then others
        self._columns[:, row] = (state.ts, state.seq, state.price, state.day, state.prev_close, state.bid, state.ask)

    def row(self, code: str) -> int:
        """The row of a code, made where it is new."""
        row = self._rows.get(code)
        if row is None:
            row = self._rows[code] = len(self._rows)
            if row == len(self._class):
                self._columns = np.concatenate([self._columns, np.zeros_like(self._columns)], axis=1)
                self._class = np.concatenate([self._class, np.zeros_like(self._class)])
            self._class[row] = self._profile.limit_class(code)
        return row

    def take(self, rows: NDArray[np.intp], data: NDArray[np.int64], days: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Take one update for each of rows (each once), by the rules of `Exchange._admit`, all at once. Which were admitted: (n,).

        data: (len(FIELDS), n); days: the trading day of each, (n,).
        """
        last = self._columns[:, rows]
        ts, seq, price, given = data[e.TS], data[e.SEQ], data[e.PRICE], data[e.PREV_CLOSE]
        known = last[TS] > 0
        fine = (price > 0) & ~(known & ((ts < last[TS]) | ((ts == last[TS]) & (seq <= last[SEQ]))))
        first = ~known | (days != last[DAY])
        prev = np.where(given > 0, given, np.where(first, last[PRICE], last[PREV_CLOSE]))
        low, high = self._profile.limit_columns(self._class[rows], prev, days)
        outside = (high > 0) & ((price < low) | (price > high))
        fine &= ~(outside & ((given > 0) | ~first))
        prev = np.where(outside, 0, prev)
        at = rows[fine]
        self._columns[:, at] = np.stack([ts, seq, price, days, prev, data[e.BID], data[e.ASK]])[:, fine]
        return np.asarray(fine, np.bool_)
