"""Bars of 1 minute, 5 minutes or a day, made from the updates of each code (ticks or shorter bars), in numpy.

A function of the updates alone. A bar is complete with the first update behind its end, or with an update that is itself a bar and
ends it. The first bar of a code counts only where it was seen from its beginning. Prices in units of 0.0001 CNY, volume in
shares, amount (price times volume) in units.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.ring import Ring

Interval = Literal["tick", "1m", "5m", "1d"]
"""What a component looks at: "tick" is each update as it comes, be it a tick or a bar."""
BarInterval = Literal["1m", "5m", "1d"]
Field = Literal["open", "high", "low", "close", "volume", "amount"]

FIELDS: tuple[Field, ...] = ("open", "high", "low", "close", "volume", "amount")
SPANS: dict[str, int] = {"1m": 60_000, "5m": 300_000, "1d": 86_400_000}
"""Length of a bar, ms."""
MAX_LENGTH = 1_000
"""Values of one field that a component may ask for."""


class Need(NamedTuple):
    """The last `length` values (bars, or updates for "tick") of these fields: what a component says it looks at."""

    interval: Interval
    length: int
    fields: tuple[Field, ...] = ("close",)


BUCKET, WHOLE, DONE, VALUES = 0, 1, 2, 3
"""Rows of `Bars.forming`: which bar it is (day, or ms // length), seen from its beginning, complete; then the fields in their order."""
FORMING_ROWS = VALUES + len(FIELDS)
_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(VALUES, VALUES + 5)


class Updates(NamedTuple):
    """Updates of distinct codes, int64 of shape (n,) each. length: of the update's bar in ms, 0 for a tick. values: shape (6, n), the
    fields (open 0: unknown; of a tick the day's). before_ts, before_day: of the last update of each code, 0 for none."""

    ts: NDArray[np.int64]
    length: NDArray[np.int64]
    values: NDArray[np.int64]
    before_ts: NDArray[np.int64]
    before_day: NDArray[np.int64]
    day: int
    opens: int
    """When continuous trading of the day begins, ms."""
    closes: int
    """The day's close, ms."""


class Bars:
    """The bars of one interval. forming: int64 of shape (9, rows), the bar that each code's last update belongs to."""

    def __init__(self, interval: str, rows: int) -> None:
        self.interval = interval
        self.span = SPANS[interval]
        self.daily = interval == "1d"
        self.rings: dict[str, Ring] = {}
        self.forming: NDArray[np.int64] = np.zeros((FORMING_ROWS, rows), np.int64)

    def want(self, field: str, length: int) -> None:
        """Keep `length` bars' values of a field behind the last from now on."""
        ring = self.rings.get(field)
        if ring is None:
            ring = self.rings[field] = Ring(self.forming.shape[1])
        ring.deepen(length + 1)  # one more, so that the bar of the moment can be left out

    def grow(self, rows: int) -> None:
        """Room for so many rows."""
        more = rows - self.forming.shape[1]
        self.forming = np.concatenate([self.forming, np.zeros((FORMING_ROWS, more), np.int64)], axis=1)
        for ring in self.rings.values():
            ring.grow(rows)

    def take(self, rows: NDArray[np.intp], updates: Updates) -> NDArray[np.bool_]:
        """Take one update for each of rows (each once). For which of them a bar was completed by it: bool of shape (n,).

        Updates that are longer bars than these are left out.
        """
        ts, length = updates.ts, updates.length
        if self.daily:
            bucket, before = np.full(len(ts), updates.day, np.int64), updates.before_day
            start, end = np.full(len(ts), updates.opens, np.int64), np.full(len(ts), updates.closes, np.int64)
        else:
            bucket, before = (ts - 1) // self.span, (updates.before_ts - 1) // self.span
            start, end = bucket * self.span, (bucket + 1) * self.span
        fits = length <= self.span
        was = self.forming[:, rows]
        fresh = fits & (was[BUCKET] != bucket)
        leaving = fresh & (was[WHOLE] == 1) & (was[DONE] == 0)
        self._push(rows[leaving], was[:, leaving])
        now = was.copy()
        now[BUCKET] = bucket
        now[DONE][fresh] = 0
        now[WHOLE] = np.where(fresh, ((before > 0) & (before < bucket)) | (ts - length <= start), was[WHOLE])
        values = updates.values
        now[VALUES:, fresh] = values[:, fresh]
        now[_OPEN] = np.where(fresh & (values[0] == 0), values[3], now[_OPEN])
        on = fits & ~fresh
        if self.daily:  # the open of the day is known when the opening auction is over
            now[_OPEN] = np.where(on & (length == 0) & (values[0] > 0), values[0], now[_OPEN])
        now[_HIGH, on] = np.maximum(now[_HIGH, on], values[1, on])
        now[_LOW, on] = np.minimum(now[_LOW, on], values[2, on])
        now[_CLOSE, on] = values[3, on]
        now[_VOLUME:, on] += values[4:, on]
        ended = fits & (length > 0) & ((ts >= end) | (length >= self.span)) & (now[WHOLE] == 1) & (now[DONE] == 0)
        self._push(rows[ended], now[:, ended])
        now[DONE][ended] = 1
        self.forming[:, rows[fits]] = now[:, fits]
        return np.asarray(leaving | ended, np.bool_)

    def _push(self, rows: NDArray[np.intp], bars: NDArray[np.int64]) -> None:
        if len(rows):
            for field, ring in self.rings.items():
                ring.push(rows, bars[VALUES + FIELDS.index(field)])

    def last(self, rows: NDArray[np.intp], field: str, k: int, bucket: NDArray[np.int64] | int, inclusive: bool) -> NDArray[np.int64]:
        """The last k complete values before the bar `bucket` (inclusive: with that bar, where it is complete), oldest first: (n, k).

        A bar that no update has ended yet counts as complete where it is before `bucket`.
        """
        ring = self._ring(field, k)
        values = ring.last(rows, k + 1)
        skipped, pending = self._ends(rows, bucket, inclusive)
        found = values[:, 1:].copy()
        found[skipped] = values[skipped, :-1]
        if pending.any():
            found[pending, :-1] = values[pending, 2:]
            found[pending, -1] = self.forming[VALUES + FIELDS.index(field), rows[pending]]
        return found

    def held(self, rows: NDArray[np.intp], field: str, bucket: NDArray[np.int64] | int, inclusive: bool) -> NDArray[np.int64]:
        """How many values `last` has for each of rows: (n,)."""
        skipped, pending = self._ends(rows, bucket, inclusive)
        return np.asarray(self._ring(field, 1).count[rows] - skipped + pending, np.int64)

    def _ends(
        self, rows: NDArray[np.intp], bucket: NDArray[np.int64] | int, inclusive: bool
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Where the newest value of the ring is not to be counted, and where the forming bar is."""
        of, whole, done = self.forming[BUCKET, rows], self.forming[WHOLE, rows] == 1, self.forming[DONE, rows] == 1
        return done & ((of > bucket) if inclusive else (of >= bucket)), ~done & whole & (of < bucket)

    def _ring(self, field: str, k: int) -> Ring:
        ring = self.rings.get(field)
        if ring is None or not 0 < k < ring.depth:
            kept = 0 if ring is None else ring.depth - 1
            raise ValueError(f"{k} values of {field!r} of {self.interval} bars are asked for, {kept} are kept: name them in needs()")
        return ring


class History:
    """Complete bars of some codes: what a component reads. Each result has a row for each of `codes`, oldest value first."""

    __slots__ = ("_bars", "_bucket", "_inclusive", "_rows", "codes")

    def __init__(self, bars: Bars, codes: list[str], rows: NDArray[np.intp], bucket: NDArray[np.int64] | int, inclusive: bool) -> None:
        self.codes = codes
        self._bars, self._rows, self._bucket, self._inclusive = bars, rows, bucket, inclusive

    def last(self, field: Field, k: int) -> NDArray[np.int64]:
        """The last k values of a field: int64 of shape (n, k). Look at `warm` too. Raises ValueError for what `needs()` did not name."""
        return self._bars.last(self._rows, field, k, self._bucket, self._inclusive)

    def warm(self, k: int, field: Field = "close") -> NDArray[np.bool_]:
        """Where k values of a field are held: bool of shape (n,)."""
        return self.held(field) >= k

    def held(self, field: Field = "close") -> NDArray[np.int64]:
        """How many values of a field are held: int64 of shape (n,)."""
        return self._bars.held(self._rows, field, self._bucket, self._inclusive)

    def part(self, mask: NDArray[np.bool_]) -> History:
        """Those of the codes at mask, bool of shape (n,)."""
        codes = [code for code, taken in zip(self.codes, mask.tolist(), strict=True) if taken]
        bucket = self._bucket if isinstance(self._bucket, int) else self._bucket[mask]
        return History(self._bars, codes, self._rows[mask], bucket, self._inclusive)
