"""Keeps the newest value of each key until every store has it; inputs are done when all stores do.

A store that is down costs nothing but memory for one value a key: Kafka holds the rest, and what it missed is
written when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from faust.types import TP

from ginkgo_streams.engine import internals
from ginkgo_streams.engine.arrival import Arrival
from ginkgo_streams.engine.fatal import die

log = logging.getLogger("ginkgo.engine")

FLUSH_S = 0.5
"""Pause between two writes of a store: what arrives in it is written once per key."""

BACKOFF_S = (0.5, 10.0)
"""First and longest pause after a store failed."""


@dataclass(slots=True)
class Store:
    """Where values go. `write` takes a batch, and raises one of `down` where the store cannot take it now."""

    name: str
    write: Callable[[Sequence[Any]], Awaitable[None]]
    down: tuple[type[BaseException], ...]
    on_down: Callable[[BaseException], Awaitable[None]] | None = None
    on_up: Callable[[], Awaitable[None]] | None = None
    pending: dict[str, Any] = field(default_factory=dict)
    seen: dict[TP, int] = field(default_factory=dict)
    written: dict[TP, int] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class Sink:
    """One writer task a store. With no store, `skip` and `take` just mark inputs done."""

    def __init__(self, app: Any, stores: Sequence[Store] = ()) -> None:
        self.app, self.stores = app, list(stores)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the writers."""
        self._tasks = [asyncio.ensure_future(self._write(store)) for store in self.stores]

    async def stop(self, timeout_s: float = 3.0) -> None:
        """Write what is there (a store that is down is not waited for longer than the time-out), and end."""
        try:
            async with asyncio.timeout(timeout_s):
                while any(store.pending for store in self.stores):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log.warning("Stopped with values not yet written to %s", ", ".join(s.name for s in self.stores if s.pending))
        for task in self._tasks:
            task.cancel()

    def take(self, arrival: Arrival, key: str, value: Any) -> None:
        """A value to write: it takes the place of an older one of its key."""
        for store in self.stores:
            store.pending[key] = value
        self.skip(arrival)

    def skip(self, arrival: Arrival) -> None:
        """An input with nothing to write, or whose value was taken."""
        if arrival.generation != internals.generation(self.app):
            return
        tp = TP(arrival.topic, arrival.partition)
        if not self.stores:
            self.app.consumer.done({tp: arrival.offset + 1})
        for store in self.stores:
            store.seen[tp] = arrival.offset + 1
            store.arrived.set()

    async def _write(self, store: Store) -> None:
        pause = 0.0
        while True:
            await store.arrived.wait()
            store.arrived.clear()
            generation = internals.generation(self.app)
            batch, seen = dict(store.pending), dict(store.seen)
            try:
                if batch:
                    await store.write(list(batch.values()))
            except store.down as error:
                if not pause:
                    log.error("%s is down, its writes wait: %s", store.name, error)
                    if store.on_down is not None:
                        await store.on_down(error)
                pause = min(max(pause * 2, BACKOFF_S[0]), BACKOFF_S[1])
                store.arrived.set()
                await asyncio.sleep(pause)
                continue
            except Exception as error:
                die(f"writing to {store.name}", error)
            if pause:
                log.info("%s is back", store.name)
                if store.on_up is not None:
                    await store.on_up()
            pause = 0.0
            for key, value in batch.items():
                if store.pending.get(key) is value:
                    del store.pending[key]
            if generation == internals.generation(self.app):
                store.written.update(seen)
                self._done(seen)
            else:
                store.seen.clear()
                store.written.clear()
            await asyncio.sleep(FLUSH_S)

    def _done(self, seen: dict[TP, int]) -> None:
        done = {tp: min(store.written.get(tp, -1) for store in self.stores) for tp in seen}
        self.app.consumer.done({tp: offset for tp, offset in done.items() if offset >= 0})
