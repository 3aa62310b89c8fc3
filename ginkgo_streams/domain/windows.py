"""Price windows of the codes that a slot wants: last prices, the last updates and bars in numpy, the same for all its portfolios.

A function of the ticks alone. Rows are kept by code; a code belongs to the chunk that its name gives (`chunk_name`), and
chunks are what is made durable. Prices are int64 units of 0.0001 CNY, times ms.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import compress, crc32, decompress

import msgspec
import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.bars import FORMING_ROWS, Bars, Need
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.ring import Ring

CHUNKS = 64
"""Chunks of a slot: 5,000 codes give about 80 a chunk. Fixed for ever: a chunk's name has to follow from the code alone."""
CLOCK = "clock"
"""The chunk that holds the newest event time of the slot. It is to be made durable after the others (see Portfolios)."""

(
    TS, SEQ, PRICE, VOLUME, PREV_CLOSE, BID, ASK, LOW, HIGH, DAY, REFUSALS, REFUSED_PRICE, REFUSED_TS,
) = range(13)  # fmt: skip
"""Rows of `Windows.meta`: the last accepted update; the day's price limits (0: none) and its trading day; refusals in a
row that agree, with the last refused price and its time."""

_STORED = 13
_STEP = 1024
_MASKS = 256
"""Sets of codes whose rows are remembered: those of fixed selectors; what selectors choose anew each day must not pile up."""


class _Series(msgspec.Struct, array_like=True):
    """A ring of one field. values: compressed differences along each row (neighbours are alike)."""

    field: str
    depth: int
    counts: bytes
    values: bytes


class _Interval(msgspec.Struct, array_like=True):
    interval: str
    forming: bytes
    series: tuple[_Series, ...]


class _Chunk(msgspec.Struct, array_like=True):
    codes: tuple[str, ...]
    meta: bytes
    counts: bytes
    width: int
    """Bytes of a close: 4 where all fit, else 8."""
    closes: bytes
    others: tuple[_Interval, ...] = ()
    """Bars, and fields of updates other than the close."""


def chunk_number(code: str) -> int:
    """Which chunk a code belongs to."""
    return crc32(code.encode()) % CHUNKS


def chunk_name(code: str) -> str:
    """The name of the chunk that a code belongs to: "c00" to "c63"."""
    return f"c{chunk_number(code):02d}"


NAMES = tuple(f"c{number:02d}" for number in range(CHUNKS))


class Windows:
    """The windows. `meta`: int64 of shape (13, capacity); `updates`: rings of the fields of each update; `bars`: by interval."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self.codes: list[str] = []
        self.meta: NDArray[np.int64] = np.zeros((_STORED, 0), np.int64)
        self.updates: dict[str, Ring] = {"close": Ring(0)}
        self.bars: dict[str, Bars] = {}
        self.chunk_of: NDArray[np.int64] = np.zeros(0, np.int64)
        self.hashes: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self.touched: NDArray[np.bool_] = np.zeros(CHUNKS, np.bool_)
        self.members: list[list[int]] = [[] for _ in range(CHUNKS)]
        self._limit_class: NDArray[np.int64] = np.zeros(0, np.int64)
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
        self.meta = np.concatenate([self.meta, np.zeros((_STORED, room), np.int64)], axis=1)
        self.chunk_of = np.concatenate([self.chunk_of, np.zeros(room, np.int64)])
        self.hashes = np.concatenate([self.hashes, np.zeros(room, np.uint64)])
        for ring in self.updates.values():
            ring.grow(len(self.chunk_of))
        for bars in self.bars.values():
            bars.grow(len(self.chunk_of))

    def want_all(self, needs: Iterable[Need]) -> None:
        """Keep what components need from now on."""
        for need in needs:
            self.want(need)

    def want(self, need: Need) -> None:
        """Keep what a component needs from now on."""
        for field in need.fields:
            if need.interval == "tick":
                if field not in self.updates:
                    self.updates[field] = Ring(len(self.chunk_of))
                self.updates[field].deepen(need.length)
            else:
                if need.interval not in self.bars:
                    self.bars[need.interval] = Bars(need.interval, len(self.chunk_of))
                self.bars[need.interval].want(field, need.length)

    def held(self, code: str, interval: str = "tick") -> int:
        """How many closes of a code are held, of its updates or of its complete bars."""
        row = self.index.get(code)
        ring = self.updates["close"] if interval == "tick" else self.bars[interval].rings["close"]
        return 0 if row is None else int(ring.count[row])

    def bars_of(self, interval: str) -> Bars:
        """The bars of an interval. Raises ValueError where nobody wanted any."""
        bars = self.bars.get(interval)
        if bars is None:
            raise ValueError(f"no {interval} bars are kept: a component that looks at them names them in needs()")
        return bars

    def limit_classes(self, profile: Profile) -> NDArray[np.int64]:
        """`Profile.limit_class` of each row: int64 of shape (codes known,)."""
        known = len(self._limit_class)
        if known < len(self.codes):
            more = np.array([profile.limit_class(code) for code in self.codes[known:]], np.int64)
            self._limit_class = np.concatenate([self._limit_class, more])
        return self._limit_class

    def touch(self, rows: NDArray[np.intp]) -> None:
        """These rows have changed."""
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
            if len(self._masks) >= _MASKS:
                self._masks.clear()
            mask = np.zeros(len(self.chunk_of), np.bool_)
            mask[[self.index[code] for code in codes if code in self.index]] = True
            found = self._masks[codes] = (known, mask)
        return found[1]

    def reach(self, ts: int) -> None:
        """An update of ts (ms): event time is at least that."""
        if ts > self.newest:
            self.newest = ts
            self.clock_touched = True

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
        counts, flat = self.updates["close"].flat(rows)
        width = 4 if not len(flat) or int(flat.max()) < 2**31 else 8
        self.touched[number] = False
        return msgspec.msgpack.encode(_Chunk(
            tuple(self.codes[r] for r in rows.tolist()), self.meta[:, rows].astype("<i8").tobytes(),
            counts.astype("<i4").tobytes(), width, flat.astype(f"<i{width}").tobytes(), self._encode_others(rows),
        ))  # fmt: skip

    def _encode_others(self, rows: NDArray[np.intp]) -> tuple[_Interval, ...]:
        found = []
        updates = tuple(_encode_series(name, self.updates[name], rows) for name in sorted(self.updates) if name != "close")
        if updates:
            found.append(_Interval("tick", b"", updates))
        for interval in sorted(self.bars):
            bars = self.bars[interval]
            series = tuple(_encode_series(name, bars.rings[name], rows) for name in sorted(bars.rings))
            found.append(_Interval(interval, compress(bars.forming[:, rows].astype("<i8").tobytes(), 1), series))
        return tuple(found)

    def _seen(self, row: int) -> bool:
        return bool(self.updates["close"].count[row] or self.meta[REFUSALS, row])

    def load(self, name: str, value: bytes) -> None:
        """Take a chunk that was encoded. It replaces what is held of its codes."""
        if name == CLOCK:
            self.newest, self.clocked = msgspec.msgpack.decode(value, type=tuple[int, bool])
            return
        chunk = msgspec.msgpack.decode(value, type=_Chunk)
        rows = [self.row(code) for code in chunk.codes]
        counts = np.frombuffer(chunk.counts, "<i4").astype(np.int64)
        self.meta[:, rows] = np.frombuffer(chunk.meta, "<i8").reshape(_STORED, len(rows))
        self.updates["close"].put(rows, counts, np.frombuffer(chunk.closes, f"<i{chunk.width}").astype(np.int64))
        for each in chunk.others:
            for series in each.series:
                counts, values = _decode_series(series)
                if each.interval == "tick":
                    self.want(Need("tick", series.depth, (series.field,)))  # type: ignore[arg-type]  # a name that was encoded
                    self.updates[series.field].put(rows, counts, values)
                else:
                    self.want(Need(each.interval, series.depth - 1, (series.field,)))  # type: ignore[arg-type]
                    self.bars[each.interval].rings[series.field].put(rows, counts, values)
            if each.forming:
                forming = np.frombuffer(decompress(each.forming), "<i8").reshape(FORMING_ROWS, len(rows))
                self.bars[each.interval].forming[:, rows] = forming


def _encode_series(field: str, ring: Ring, rows: NDArray[np.intp]) -> _Series:
    counts, flat = ring.flat(rows)
    steps = np.diff(flat, prepend=0).astype("<i8")
    return _Series(field, ring.depth, counts.astype("<i4").tobytes(), compress(steps.tobytes(), 1))


def _decode_series(series: _Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    steps = np.frombuffer(decompress(series.values), "<i8").astype(np.int64)
    return np.frombuffer(series.counts, "<i4").astype(np.int64), np.cumsum(steps)
