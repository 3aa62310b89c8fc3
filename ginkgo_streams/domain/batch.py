"""The updates of one event that were admitted, each code once, with views of their windows: what a strategy looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.bars import FIELDS, VALUES, BarInterval, Field, History, Interval
from ginkgo_streams.domain.ring import Ring
from ginkgo_streams.domain.windows import Windows


class Batch:
    """n updates. codes: list of n; ts (ms), price (units of 0.0001 CNY), interval (length of the update's bar in ms, 0: tick),
    volume (shares): int64 of shape (n,). of: the interval of the values that `last` and its like give; of bars a batch has the codes
    of which a bar is complete with this event, and `price` and `ts` are those of the update that showed it."""

    __slots__ = ("_at", "_codes", "_ended", "_found", "_place", "_windows", "interval", "of", "price", "rows", "ts", "volume")

    def __init__(
        self, windows: Windows, rows: NDArray[np.intp], ts: NDArray[np.int64], price: NDArray[np.int64], volume: NDArray[np.int64],
        interval: NDArray[np.int64], ended: dict[str, NDArray[np.bool_]] | None = None, of: Interval = "tick",
    ) -> None:  # fmt: skip
        """ended: of each interval of bars, which updates ended one."""
        self._windows = windows
        self.rows = rows
        self.ts, self.price, self.volume, self.interval = ts, price, volume, interval
        self.of: Interval = of
        self._ended = ended or {}
        self._codes: list[str] | None = None
        self._place: dict[str, int] | None = None
        self._found: dict[tuple[Field, int], NDArray[np.int64]] = {}
        self._at: dict[str, Batch] = {}

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def codes(self) -> list[str]:
        """The codes, in order of arrival."""
        if self._codes is None:
            self._codes = [self._windows.codes[row] for row in self.rows.tolist()]
        return self._codes

    @property
    def place(self) -> dict[str, int]:
        """Where each code stands in the columns."""
        if self._place is None:
            self._place = {code: i for i, code in enumerate(self.codes)}
        return self._place

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """A hash of each code, the same for ever. Shape (n,)."""
        return self._windows.hashes[self.rows]

    # ---- windows ----

    def last(self, field: Field, k: int) -> NDArray[np.int64]:
        """The last k values of a field of each code (updates, or bars of `of`), the newest last: int64 of shape (n, k), read-only.

        Look at `warm` too. Raises ValueError for more than history() and needs() named.
        """
        found = self._found.get((field, k))
        if found is None:
            ring = self._ring(field)
            kept = 0 if ring is None else ring.depth
            if ring is None or not 0 < k <= kept:
                raise ValueError(f"{k} values of {field!r} ({self.of}) are asked for, {kept} are kept: history() and needs() name the most")
            found = self._found[field, k] = ring.last(self.rows, k)
            found.flags.writeable = False  # portfolios share it
        return found

    def closes(self, k: int) -> NDArray[np.int64]:
        """The last k closes, as `last` gives them."""
        return self.last("close", k)

    def warm(self, k: int, field: Field = "close") -> NDArray[np.bool_]:
        """Where k values of a field are held: bool of shape (n,)."""
        ring = self._ring(field)
        return np.zeros(len(self.rows), np.bool_) if ring is None else np.asarray(ring.count[self.rows] >= k, np.bool_)

    def current(self, interval: BarInterval, field: Field) -> NDArray[np.int64]:
        """The bar that each update belongs to, as far as it goes: int64 of shape (n,)."""
        return np.asarray(self._windows.bars_of(interval).forming[VALUES + FIELDS.index(field), self.rows], np.int64)

    def previous(self, interval: BarInterval) -> History:
        """The complete bars before the one that each update belongs to."""
        bars = self._windows.bars_of(interval)
        return History(bars, self.codes, self.rows, bars.forming[0, self.rows], inclusive=False)

    def _ring(self, field: Field) -> Ring | None:
        if self.of == "tick":
            return self._windows.updates.get(field)
        bars = self._windows.bars.get(self.of)
        return None if bars is None else bars.rings.get(field)

    # ---- parts ----

    def at(self, interval: Interval) -> Batch:
        """The codes of which a bar of this interval is complete with this event, with the values of such bars."""
        if interval == self.of:
            return self
        found = self._at.get(interval)
        if found is None:
            ended = self._ended.get(interval)
            found = self.select(np.zeros(len(self.rows), np.bool_) if ended is None else ended)
            found.of = interval
            self._at[interval] = found
        return found

    def select(self, mask: NDArray[np.bool_]) -> Batch:
        """The part of the batch at mask, bool of shape (n,)."""
        ended = {interval: each[mask] for interval, each in self._ended.items()}
        rows, ts, price = self.rows[mask], self.ts[mask], self.price[mask]
        return Batch(self._windows, rows, ts, price, self.volume[mask], self.interval[mask], ended, self.of)
