"""Price windows of the codes that a slot wants: last prices and rings of closes in numpy, the same for all its portfolios.

A function of the ticks alone. Rows are kept by code; a code belongs to the chunk that its name gives (`chunk_name`), and
chunks are what is made durable. Prices are int64 units of 0.0001 CNY, times ms.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

CHUNKS = 64
"""Chunks of a slot: 5,000 codes give about 80 a chunk. Fixed for ever: a chunk's name has to follow from the code alone."""
CLOCK = "clock"
"""The chunk that holds the newest event time of the slot. It is to be made durable after the others (see Portfolios)."""

(
    TS, SEQ, PRICE, VOLUME, PREV_CLOSE, BID, ASK, LOW, HIGH, DAY, REFUSALS, REFUSED_PRICE, REFUSED_TS, HEAD, COUNT,
) = range(15)  # fmt: skip
"""Rows of `Windows.meta`: the last accepted update; the day's price limits (0: none) and its trading day; refusals in a
row that agree, with the last refused price and its time; where the ring goes on, and how many closes it holds."""

_STORED = HEAD
"""Columns that a chunk stores: the ring is stored oldest first, so HEAD follows."""
_STEP = 1024


class _Chunk(msgspec.Struct, array_like=True):
    codes: tuple[str, ...]
    meta: bytes
    counts: bytes
    width: int
    """Bytes of a close: 4 where all fit, else 8."""
    closes: bytes


def chunk_number(code: str) -> int:
    """Which chunk a code belongs to."""
    return crc32(code.encode()) % CHUNKS


def chunk_name(code: str) -> str:
    """The name of the chunk that a code belongs to: "c00" to "c63"."""
    return f"c{chunk_number(code):02d}"


NAMES = tuple(f"c{number:02d}" for number in range(CHUNKS))


class Windows:
    """The windows. `meta`: int64 of shape (15, capacity); `ring`: int64 of shape (capacity, depth)."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self.codes: list[str] = []
        self.depth = 1
        self.meta: NDArray[np.int64] = np.zeros((15, 0), np.int64)
        self.ring: NDArray[np.int64] = np.zeros((0, 1), np.int64)
        self.chunk_of: NDArray[np.int64] = np.zeros(0, np.int64)
        self.hashes: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self.touched: NDArray[np.bool_] = np.zeros(CHUNKS, np.bool_)
        self.members: list[list[int]] = [[] for _ in range(CHUNKS)]
        self._masks: dict[frozenset[str], tuple[int, NDArray[np.bool_]]] = {}
        self.newest = 0
        """Newest event time seen (ms): of clocks, and of updates not refused as future."""
        self.clocked = False
        """Whether a clock was ever seen; before, nothing is refused as future."""
        self.clock_touched = False

    def row(self, code: str) -> int:
        """The row of a code, made where it is new."""
        row = self.index.get(code)
        if row is None:
            row = len(self.codes)
            if row == len(self.chunk_of):
                self._grow()
            number = chunk_number(code)
            self.index[code] = row
            self.codes.append(code)
            self.chunk_of[row] = number
            self.hashes[row] = crc32(code.encode()) * 0x9E3779B97F4A7C15 % 2**64
            self.members[number].append(row)
        return row

    def _grow(self) -> None:
        room = _STEP if self.codes else 64
        self.meta = np.concatenate([self.meta, np.zeros((15, room), np.int64)], axis=1)
        self.ring = np.concatenate([self.ring, np.zeros((room, self.depth), np.int64)])
        self.chunk_of = np.concatenate([self.chunk_of, np.zeros(room, np.int64)])
        self.hashes = np.concatenate([self.hashes, np.zeros(room, np.uint64)])

    def deepen(self, depth: int) -> None:
        """Keep at least `depth` closes of each code from now on."""
        if depth <= self.depth:
            return
        count = len(self.codes)
        ring = np.zeros((len(self.ring), depth), np.int64)
        ring[:count, : self.depth] = self.closes(np.arange(count), self.depth)
        held = self.meta[COUNT]
        shift = self.depth - held[:count]  # closes of a row that is not full stand at its end: bring them to the front
        for row in np.flatnonzero(shift).tolist():
            ring[row, : self.depth] = np.roll(ring[row, : self.depth], -int(shift[row]))
        self.meta[HEAD] = held % depth
        self.ring, self.depth = ring, depth

    def closes(self, rows: NDArray[np.intp], k: int) -> NDArray[np.int64]:
        """The last k closes of rows, oldest first: shape (len(rows), k). Where fewer are held the front has no meaning."""
        places = self.meta[HEAD][rows][:, None] + np.arange(-k, 0)
        np.add(places, self.depth, out=places, where=places < 0)
        places += rows[:, None] * self.depth
        closes: NDArray[np.int64] = self.ring.reshape(-1).take(places)
        return closes

    def push(self, rows: NDArray[np.intp], prices: NDArray[np.int64]) -> None:
        """Take one close for each of rows (each once)."""
        head = self.meta[HEAD][rows]
        self.ring[rows, head] = prices
        head += 1
        head[head == self.depth] = 0
        self.meta[HEAD][rows] = head
        self.meta[COUNT][rows] = np.minimum(self.meta[COUNT][rows] + 1, self.depth)
        self.touched[self.chunk_of[rows]] = True

    def price(self, code: str) -> int:
        """The last price, 0 where none was seen."""
        row = self.index.get(code)
        return 0 if row is None else int(self.meta[PRICE, row])

    def mask(self, codes: frozenset[str]) -> NDArray[np.bool_]:
        """Which rows are of these codes: bool of shape (capacity,)."""
        known = len(self.codes)
        found = self._masks.get(codes)
        if found is None or found[0] != known:
            mask = np.zeros(len(self.chunk_of), np.bool_)
            mask[[self.index[code] for code in codes if code in self.index]] = True
            found = self._masks[codes] = (known, mask)
        return found[1]

    def advance(self, ts: int) -> None:
        """A clock: event time is at least ts. The same or an older one changes nothing."""
        if ts > self.newest or not self.clocked:
            self.newest = max(self.newest, ts)
            self.clocked = True
            self.clock_touched = True

    # ---- durable form ----

    def touched_names(self) -> list[str]:
        """Chunks changed since they were last encoded, the clock last."""
        return [NAMES[i] for i in np.flatnonzero(self.touched).tolist()] + [CLOCK] * self.clock_touched

    def names(self) -> Iterable[str]:
        """Chunks that hold a code."""
        return (NAMES[i] for i, rows in enumerate(self.members) if rows)

    def encode(self, name: str) -> bytes:
        """A chunk as bytes: a function of its content. Raises KeyError for an unknown name."""
        if name == CLOCK:
            self.clock_touched = False
            return msgspec.msgpack.encode((self.newest, self.clocked))
        number = NAMES.index(name) if name in NAMES else -1
        if number < 0:
            raise KeyError(f"no chunk has the name {name!r}; they are c00 to c{CHUNKS - 1} and {CLOCK}")
        rows = np.array(sorted((r for r in self.members[number] if self._seen(r)), key=self.codes.__getitem__), np.intp)
        counts = self.meta[COUNT][rows]
        closes = self.closes(rows, self.depth)
        held = np.arange(self.depth) >= (self.depth - counts)[:, None]
        flat = closes[held]
        width = 4 if not len(flat) or int(flat.max()) < 2**31 else 8
        self.touched[number] = False
        return msgspec.msgpack.encode(_Chunk(
            tuple(self.codes[r] for r in rows.tolist()), self.meta[:_STORED, rows].astype("<i8").tobytes(),
            counts.astype("<i4").tobytes(), width, flat.astype(f"<i{width}").tobytes(),
        ))  # fmt: skip

    def _seen(self, row: int) -> bool:
        return bool(self.meta[COUNT, row] or self.meta[REFUSALS, row])

    def load(self, name: str, value: bytes) -> None:
        """Take a chunk that was encoded. It replaces what is held of its codes."""
        if name == CLOCK:
            self.newest, self.clocked = msgspec.msgpack.decode(value, type=tuple[int, bool])
            return
        chunk = msgspec.msgpack.decode(value, type=_Chunk)
        counts = np.frombuffer(chunk.counts, "<i4").astype(np.int64)
        closes = np.frombuffer(chunk.closes, f"<i{chunk.width}").astype(np.int64)
        meta = np.frombuffer(chunk.meta, "<i8").reshape(_STORED, len(chunk.codes))
        self.deepen(int(counts.max(initial=1)))
        start = 0
        for i, code in enumerate(chunk.codes):
            row, count = self.row(code), int(counts[i])
            self.meta[:_STORED, row] = meta[:, i]
            self.ring[row, :count] = closes[start : start + count]
            self.meta[HEAD, row] = count % self.depth
            self.meta[COUNT, row] = count
            start += count
