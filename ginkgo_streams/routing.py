"""The tick router's batching: what has arrived goes to each slot that wants it, in few messages and at once when idle.

Every message costs a Faust worker about 150 µs whatever is in it, so a slot gets at most one message at a time and one
per window. The router itself knows no Kafka: `send` is given to it, and its caller acknowledges an input when the
future of `add` is done.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.events import FIELDS, Quotes
from ginkgo_streams.messages import Ticks, encode_ticks

WINDOW_S = 0.01
"""Shortest time between two messages to a slot."""

GATHER_S = 0.002
"""A message waits until nothing has come for so long (a window at most), or as many have come as in the steps before: a feed's step
is one message per market partition, and what is sent together costs the portfolios half of what it costs in two."""

STEPS = 4
"""Steps that say how many messages the next one has: the most of theirs, as the loop may be held up in the midst of one."""

CLOCK_S = 1.0
"""Shortest wall time between two clocks to a slot."""

MAX_QUOTES = 4_000
"""Quotes in one message at most: about 500 kB, under the brokers' default limit of 1 MB."""

Interest = frozenset[str] | Literal["*"]
"""The codes that a slot wants; "*" for all. An empty set: the slot has no portfolios."""

Send = Callable[[int, bytes], Awaitable[object]]
"""(slot, message) to an awaitable that is done when Kafka has acknowledged it."""


@dataclass(slots=True)
class _Delivery:
    """One `add` on its way: done when every part of it is acknowledged."""

    done: asyncio.Future[None]
    parts: int = 0


@dataclass(slots=True)
class _Part:
    """Quotes of one `add` for one slot. columns: which of them; None: all."""

    quotes: Quotes
    columns: NDArray[np.intp] | None
    delivery: _Delivery

    def __len__(self) -> int:
        return len(self.quotes) if self.columns is None else len(self.columns)


@dataclass(slots=True)
class _SlotQueue:
    waiting: deque[_Part] = field(default_factory=deque)
    drain: asyncio.Task[None] | None = None
    sent_at: float = -1e9
    clock_sent: int = 0
    clock_sent_at: float = -1e9


@dataclass(slots=True)
class _Step:
    """Messages that come one right after the other. whole: set unless some have come and others may follow."""

    gather_s: float
    window_s: float
    whole: asyncio.Event = field(default_factory=asyncio.Event)
    counts: deque[int] = field(default_factory=lambda: deque(maxlen=STEPS))
    count: int = 0
    began: float = -1e9
    added: float = -1e9
    timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self.whole.set()

    def add(self) -> None:
        """One more message."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= min(self.added + self.gather_s, self.began + self.window_s):
            if self.count:
                self.counts.append(self.count)
            self.count, self.began = 0, now
        self.count += 1
        self.added = now
        if self.count == max(self.counts, default=0):
            self._end()
        elif self.timer is None:
            self.whole.clear()
            self.timer = loop.call_at(now + self.gather_s, self._look, loop, now + self.window_s)

    def _look(self, loop: asyncio.AbstractEventLoop, latest: float) -> None:
        due = min(self.added + self.gather_s, latest)
        if due > loop.time():
            self.timer = loop.call_at(due, self._look, loop, latest)
        else:
            self._end()

    def _end(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.whole.set()


class Router:
    """Groups quotes by interested slot. All methods belong to one event loop.

    quotes, messages: price updates delivered (counted once per slot) and messages acknowledged.
    """

    def __init__(
        self,
        interest: Callable[[], Mapping[int, Interest]],
        send: Send,
        *,
        on_error: Callable[[BaseException], None] | None = None,
        window_s: float = WINDOW_S,
        clock_s: float = CLOCK_S,
    ) -> None:
        """interest: slot to codes, as it is now; a value that changes is another object. on_error: called once, with the first
        error of `send`; from then on the router takes nothing, and every future not done has that error."""
        self.quotes = 0
        self.messages = 0
        self._interest = interest
        self._send = send
        self._on_error = on_error
        self._window_s = window_s
        self._clock_s = clock_s
        self._queues: dict[int, _SlotQueue] = {}
        self._wanted = _WantedBySlot()
        self._step = _Step(min(GATHER_S, window_s), window_s)
        self._clock = 0
        self._clock_timer: asyncio.TimerHandle | None = None
        self._error: BaseException | None = None
        self._closed = False

    def add(self, quotes: Quotes, clock: int = 0) -> asyncio.Future[None]:
        """Take quotes, in order, and the feed's clock (ms; 0: none). The future is done when every interested slot has the quotes,
        at once where none is interested; it fails with the error of `send`.

        The newest clock goes to every slot with portfolios, with quotes where there are some, and the future does not wait for
        it: a clock lost with its process is followed by a newer one.
        """
        loop = asyncio.get_running_loop()
        delivery = _Delivery(loop.create_future())
        if self._error is not None:
            delivery.done.set_exception(self._error)
            return delivery.done
        if self._closed:
            return delivery.done  # never done: its input is not committed
        self._wanted.follow(self._interest())
        for slot, columns in self._wanted.split(quotes):
            queue = self._queue(slot)
            for part in _parts(quotes, columns, delivery):
                queue.waiting.append(part)
                delivery.parts += 1
            self._wake(slot, queue)
        if delivery.parts:
            self._step.add()
        else:
            delivery.done.set_result(None)
        if clock > self._clock:
            self._clock = clock
            self._forward_clock()
        return delivery.done

    async def flush(self) -> None:
        """Wait until everything taken so far is delivered, the newest clock included. Raises the error of `send`."""
        if self._clock_timer is not None:
            self._clock_timer.cancel()
            self._clock_timer = None
        for slot in self._wanted.inhabited():
            queue = self._queue(slot)
            queue.clock_sent_at = -1e9
            if queue.clock_sent < self._clock:
                self._wake(slot, queue)
        while drains := [queue.drain for queue in self._queues.values() if queue.drain is not None]:
            await asyncio.wait(drains)
        if self._error is not None:
            raise self._error

    async def close(self, timeout_s: float = 5.0) -> None:
        """Deliver what was taken, within the time-out, and send nothing from then on: not a clock that is due later either."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.flush()
        except TimeoutError:
            pass  # what was not acknowledged is not committed either: the next owner reads it again
        finally:
            self._closed = True
            if self._clock_timer is not None:
                self._clock_timer.cancel()

    def _queue(self, slot: int) -> _SlotQueue:
        queue = self._queues.get(slot)
        if queue is None:
            queue = self._queues[slot] = _SlotQueue()
        return queue

    def _wake(self, slot: int, queue: _SlotQueue) -> None:
        if queue.drain is None and self._error is None and not self._closed:
            queue.drain = asyncio.get_running_loop().create_task(self._drain(slot, queue))

    def _forward_clock(self) -> None:
        """Wake the slots that are due for a clock, and come back when the next of the others is."""
        loop = asyncio.get_running_loop()
        next_due: float | None = None
        for slot in self._wanted.inhabited():
            queue = self._queue(slot)
            if queue.clock_sent >= self._clock:
                continue
            due = queue.clock_sent_at + self._clock_s
            if self._clock_is_due(queue):
                self._wake(slot, queue)
            elif next_due is None or due < next_due:
                next_due = due
        if next_due is not None and self._clock_timer is None:
            self._clock_timer = loop.call_at(next_due, self._on_clock_timer)

    def _on_clock_timer(self) -> None:
        self._clock_timer = None
        self._forward_clock()

    async def _drain(self, slot: int, queue: _SlotQueue) -> None:
        """Send what waits for a slot, one message at a time, a window apart, until nothing waits."""
        loop = asyncio.get_running_loop()
        taken: list[_Part] = []
        try:
            while True:
                await self._gathered(queue)
                if self._error is not None:
                    return
                taken = _take(queue.waiting)
                clock = self._due_clock(queue)
                if not taken and not clock:
                    return
                queue.sent_at = loop.time()
                quotes = _join(taken)
                await self._send(slot, encode_ticks(Ticks.of(quotes, clock)))
                self.messages += 1
                self.quotes += len(quotes)
                for part in taken:
                    part.delivery.parts -= 1
                    if not part.delivery.parts and not part.delivery.done.done():
                        part.delivery.done.set_result(None)
                taken = []
                if not queue.waiting and not self._clock_is_due(queue):
                    return
        except Exception as error:
            self._fail(error, taken)
        finally:
            queue.drain = None

    async def _gathered(self, queue: _SlotQueue) -> None:
        """Wait until a message is due: a window after the last one, and when the step is there."""
        loop = asyncio.get_running_loop()
        while (wait := queue.sent_at + self._window_s - loop.time()) > 0:
            await asyncio.sleep(wait)
        await self._step.whole.wait()

    def _clock_is_due(self, queue: _SlotQueue) -> bool:
        return self._clock > queue.clock_sent and queue.clock_sent_at + self._clock_s <= asyncio.get_running_loop().time()

    def _due_clock(self, queue: _SlotQueue) -> int:
        """The clock to put into a message now, 0 for none."""
        if not self._clock_is_due(queue):
            return 0
        queue.clock_sent, queue.clock_sent_at = self._clock, asyncio.get_running_loop().time()
        return self._clock

    def _fail(self, error: BaseException, taken: list[_Part]) -> None:
        first = self._error is None
        if first:
            self._error = error
        for part in [*taken, *(part for queue in self._queues.values() for part in queue.waiting)]:
            if not part.delivery.done.done():
                part.delivery.done.set_exception(error)
        for queue in self._queues.values():
            queue.waiting.clear()
        if first and self._on_error is not None:
            self._on_error(error)


class _WantedBySlot:
    """Which slot wants which code, as a matrix over all codes seen, rebuilt a row where a slot's interest has changed."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._codes: list[str] = []
        self._slots: list[int] = []
        self._interest: list[Interest] = []
        self._matrix: NDArray[np.bool_] = np.zeros((0, 1024), np.bool_)

    def follow(self, interest: Mapping[int, Interest]) -> None:
        """Take over what has changed since the last time; a set that is the same object has not."""
        if len(interest) != len(self._slots) or any(slot not in interest for slot in self._slots):
            self._slots = sorted(interest)
            self._interest = [interest[slot] for slot in self._slots]
            self._matrix = np.zeros((len(self._slots), self._matrix.shape[1]), np.bool_)
            changed = list(range(len(self._slots)))
        else:
            changed = [index for index, slot in enumerate(self._slots) if interest[slot] is not self._interest[index]]
        for index in changed:
            wanted = self._interest[index] = interest[self._slots[index]]
            self._matrix[index, : len(self._codes)] = [wanted == "*" or code in wanted for code in self._codes]

    def inhabited(self) -> list[int]:
        """The slots that have portfolios."""
        return [slot for slot, wanted in zip(self._slots, self._interest, strict=True) if wanted]

    def split(self, quotes: Quotes) -> list[tuple[int, NDArray[np.intp] | None]]:
        """(slot, which of the quotes it wants; None: all), slots that want none left out."""
        if not len(quotes) or not self._slots:
            return []
        try:
            columns = [self._rows[code] for code in quotes.codes]
        except KeyError:
            columns = [self._row(code) for code in quotes.codes]
        if len(columns) == 1:
            return [(self._slots[index], None) for index in self._matrix[:, columns[0]].nonzero()[0].tolist()]
        wanted = self._matrix[:, columns]
        counts = wanted.sum(axis=1).tolist()
        whole = len(columns)
        hits = [(index, count) for index, count in enumerate(counts) if count]
        return [(self._slots[index], None if count == whole else wanted[index].nonzero()[0]) for index, count in hits]

    def _row(self, code: str) -> int:
        row = self._rows.get(code)
        if row is None:
            row = self._rows[code] = len(self._codes)
            self._codes.append(code)
            if row == self._matrix.shape[1]:
                self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)], axis=1)
            self._matrix[:, row] = [wanted == "*" or code in wanted for wanted in self._interest]
        return row


def _parts(quotes: Quotes, columns: NDArray[np.intp] | None, delivery: _Delivery) -> list[_Part]:
    """The quotes for one slot in parts of MAX_QUOTES at most."""
    count = len(quotes) if columns is None else len(columns)
    if count <= MAX_QUOTES:
        return [_Part(quotes, columns, delivery)]
    which = np.arange(count) if columns is None else columns
    return [_Part(quotes, which[start : start + MAX_QUOTES], delivery) for start in range(0, count, MAX_QUOTES)]


def _take(waiting: deque[_Part]) -> list[_Part]:
    """As many parts from the front as one message holds."""
    taken: list[_Part] = []
    room = MAX_QUOTES
    while waiting and len(waiting[0]) <= room:
        room -= len(waiting[0])
        taken.append(waiting.popleft())
    return taken


def _join(parts: list[_Part]) -> Quotes:
    """The quotes of several parts, in order."""
    if len(parts) == 1 and parts[0].columns is None:
        return parts[0].quotes
    codes: list[str] = []
    data: list[NDArray[np.int64]] = []
    for part in parts:
        if part.columns is None:
            codes += part.quotes.codes
            data.append(part.quotes.data)
        else:
            codes += [part.quotes.codes[column] for column in part.columns.tolist()]
            data.append(part.quotes.data[:, part.columns])
    return Quotes(tuple(codes), np.concatenate(data, axis=1) if data else np.zeros((len(FIELDS), 0), np.int64))
