"""A ring of the last values of each row, in numpy: what the price windows are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Ring:
    """The last `depth` values of each row. data: int64 of shape (rows, depth); head: where a row goes on; count: how many it holds."""

    __slots__ = ("count", "data", "depth", "head")

    def __init__(self, rows: int, depth: int = 1) -> None:
        self.depth = depth
        self.data: NDArray[np.int64] = np.zeros((rows, depth), np.int64)
        self.head: NDArray[np.int64] = np.zeros(rows, np.int64)
        self.count: NDArray[np.int64] = np.zeros(rows, np.int64)

    def grow(self, rows: int) -> None:
        """Room for so many rows, at least as many as before."""
        more = rows - len(self.head)
        self.data = np.concatenate([self.data, np.zeros((more, self.depth), np.int64)])
        self.head = np.concatenate([self.head, np.zeros(more, np.int64)])
        self.count = np.concatenate([self.count, np.zeros(more, np.int64)])

    def deepen(self, depth: int) -> None:
        """Keep at least `depth` values of each row from now on."""
        if depth <= self.depth:
            return
        data = np.zeros((len(self.head), depth), np.int64)
        data[:, : self.depth] = self.last(np.arange(len(self.head)), self.depth)
        shift = self.depth - self.count  # values of a row that is not full stand at its end: bring them to the front
        for row in np.flatnonzero(shift * (self.count > 0)).tolist():
            data[row, : self.depth] = np.roll(data[row, : self.depth], -int(shift[row]))
        self.head = self.count % depth
        self.data, self.depth = data, depth

    def last(self, rows: NDArray[np.intp], k: int) -> NDArray[np.int64]:
        """The last k values of rows, oldest first: shape (len(rows), k). Where fewer are held the front has no meaning."""
        places = self.head[rows][:, None] + np.arange(-k, 0)
        np.add(places, self.depth, out=places, where=places < 0)
        places += rows[:, None] * self.depth
        values: NDArray[np.int64] = self.data.reshape(-1).take(places)
        return values

    def push(self, rows: NDArray[np.intp], values: NDArray[np.int64]) -> None:
        """Take one value for each of rows (each once)."""
        head = self.head[rows]
        self.data[rows, head] = values
        head += 1
        head[head == self.depth] = 0
        self.head[rows] = head
        self.count[rows] = np.minimum(self.count[rows] + 1, self.depth)

    def extend(self, rows: NDArray[np.intp], values: NDArray[np.int64]) -> None:
        """Take several values for each of rows (each once), oldest first: int64 of shape (values, len(rows))."""
        values = values[-self.depth :]
        count = len(values)
        places = (self.head[rows][:, None] + np.arange(count)) % self.depth
        self.data[rows[:, None], places] = values.T
        self.head[rows] = (self.head[rows] + count) % self.depth
        self.count[rows] = np.minimum(self.count[rows] + count, self.depth)

    # ---- durable form ----

    def flat(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many values each of rows holds, and the values, row after row, oldest first."""
        counts = self.count[rows]
        held = np.arange(self.depth) >= (self.depth - counts)[:, None]
        return counts, self.last(rows, self.depth)[held]

    def put(self, rows: list[int], counts: NDArray[np.int64], values: NDArray[np.int64]) -> None:
        """Take what `flat` gave in place of what rows hold."""
        self.deepen(int(counts.max(initial=1)))
        start = 0
        for row, count in zip(rows, counts.tolist(), strict=True):
            self.data[row, :count] = values[start : start + count]
            self.head[row] = count % self.depth
            self.count[row] = count
            start += count
