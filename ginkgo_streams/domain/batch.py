"""The updates of one event that were admitted, each code once, with views of their windows: what a strategy looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.windows import COUNT, Windows


class Batch:
    """n updates. codes: list of n; ts (ms), price (units of 0.0001 CNY), interval (ms, 0: tick), volume: int64 of shape (n,)."""

    __slots__ = ("_closes", "_codes", "_place", "_windows", "interval", "price", "rows", "ts", "volume")

    def __init__(
        self, windows: Windows, rows: NDArray[np.intp], ts: NDArray[np.int64], price: NDArray[np.int64], volume: NDArray[np.int64],
        interval: NDArray[np.int64],
    ) -> None:  # fmt: skip
        self._windows = windows
        self.rows = rows
        self.ts, self.price, self.volume, self.interval = ts, price, volume, interval
        self._codes: list[str] | None = None
        self._place: dict[str, int] | None = None
        self._closes: dict[int, NDArray[np.int64]] = {}

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

    def closes(self, k: int) -> NDArray[np.int64]:
        """The last k closes of each code, this update's last: int64 of shape (n, k), read-only. Look at `warm(k)` too."""
        found = self._closes.get(k)
        if found is None:
            if not 0 < k <= self._windows.depth:
                raise ValueError(f"{k} closes asked for, {self._windows.depth} are kept: history() names the most a strategy asks for")
            found = self._closes[k] = self._windows.closes(self.rows, k)
            found.flags.writeable = False  # portfolios share it
        return found

    def warm(self, k: int) -> NDArray[np.bool_]:
        """Where k closes are held: bool of shape (n,)."""
        return np.asarray(self._windows.meta[COUNT][self.rows] >= k, np.bool_)

    def select(self, mask: NDArray[np.bool_]) -> Batch:
        """The part of the batch at mask, bool of shape (n,)."""
        return Batch(self._windows, self.rows[mask], self.ts[mask], self.price[mask], self.volume[mask], self.interval[mask])
