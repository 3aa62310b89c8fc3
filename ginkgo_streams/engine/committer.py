"""Makes what slots have written durable, in order, and shows their outputs only then.

    sent ──> changelogs acknowledged ──> RocksDB ──> outputs published ──> (of a checkpoint: its later stages ──> inputs done)

A group is records sent together. The writer sends and goes on; one task awaits the groups in the order in which they were sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any

from faust.types import TP

from ginkgo_streams.engine import internals
from ginkgo_streams.engine.fatal import die
from ginkgo_streams.engine.faults import point
from ginkgo_streams.engine.owned import OwnedSlot, Write
from ginkgo_streams.engine.reducer import Output, Stamp
from ginkgo_streams.engine.table import FencedTable

IN_FLIGHT = 64
"""Groups sent and not yet acknowledged; beyond that the writer waits for the oldest."""


@dataclass(slots=True)
class Group:
    """Records sent together, and what follows when they are acknowledged.

    sent: (slot, write, its acknowledgement); later: stages of a checkpoint, each sent when the one before is acknowledged; done: the
    inputs that are done then; also: what has to be done first.
    """

    generation: int
    sent: list[tuple[int, Write, Awaitable[Any]]] = field(default_factory=list)
    later: list[list[tuple[int, Write]]] = field(default_factory=list)
    outputs: list[tuple[Stamp, Output]] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)
    done: dict[TP, int] = field(default_factory=dict)
    also: list[Any] = field(default_factory=list)


class Committer:
    """The groups of one runner. `send` and `checkpoint` are called by its writer, `run` is a task of its own."""

    def __init__(self, app: Any, name: str, tables: Sequence[FencedTable], inputs: Collection[str]) -> None:
        """inputs: the topics whose offsets are committed."""
        self.app, self.name, self.inputs = app, name, inputs
        self.committed = 0
        """Groups so far."""
        self._tables = {table.name: table for table in tables}
        self._groups: asyncio.Queue[Group] = asyncio.Queue(IN_FLIGHT)
        self._idle = asyncio.Event()
        self._sending = asyncio.Lock()  # records go out in the order in which they were encoded
        self._pending = 0
        self._publishing: set[asyncio.Future[Any]] = set()

    @property
    def waiting(self) -> bool:
        """Whether something was sent that is not durable or not published yet."""
        return bool(self._pending or self._publishing)

    async def drained(self) -> None:
        """Wait until nothing waits."""
        while self.waiting:
            self._idle.clear()
            if self.waiting:
                await self._idle.wait()

    # ---- sending ------------------------------------------------------------------------------------------------

    async def send(self, slots: Collection[OwnedSlot], generation: int) -> None:
        """Send what slots have pending, in one group."""
        async with self._sending:
            group = Group(generation)
            now = time.monotonic()
            for owned in [owned for owned in slots if owned.pending]:
                writes, outputs, after = owned.collect(now)
                group.sent += await self._sent([(owned.index, write) for write in writes])
                group.outputs.extend((Stamp(owned.index, owned.epoch), output) for output in outputs)
                group.after += after
            if group.sent or group.outputs or group.after:
                await self._enqueue(group)

    async def checkpoint(self, slots: Sequence[OwnedSlot], generation: int) -> None:
        """Make slots durable whole, in one group: each of its stages is one round trip, however many slots there are."""
        async with self._sending:
            group = Group(generation)
            first: list[tuple[int, Write]] = []
            later: list[list[list[tuple[int, Write]]]] = []
            now = time.monotonic()
            # No await between here and the last encode: the stages show one moment of each slot.
            for owned in slots:
                made = owned.checkpoint(now)
                again = owned.claim_again(self._tables) if made.claim else []
                first += [(owned.index, write) for write in again + made.first]
                later.append([[(owned.index, write) for write in stage] for stage in made.later])
                group.outputs += [(Stamp(owned.index, owned.epoch), output) for output in made.outputs]
                group.after += made.after
                group.done |= {TP(topic, owned.index): offset + 1 for topic, offset in owned.applied.items() if topic in self.inputs}
                group.also += owned.also
                owned.also = []
            group.later = [[*chain.from_iterable(stage)] for stage in zip_longest(*later, fillvalue=())]
            group.sent = await self._sent(first)
            await self._enqueue(group)
        point("checkpoint_sent")

    async def _enqueue(self, group: Group) -> None:
        self._pending += 1
        await self._groups.put(group)

    async def _sent(self, writes: Sequence[tuple[int, Write]]) -> list[tuple[int, Write, Awaitable[Any]]]:
        """Send changelog records of slots, in order; each with what is done when it is acknowledged."""
        return [(index, write, await self._send_write(index, write)) for index, write in writes]

    async def _send_write(self, index: int, write: Write) -> Awaitable[Any]:
        point("before_changelog", self.name)
        return await internals.send(self.app, self._tables[write.table].changelog_topic_name, write.key, write.value, index)

    # ---- committing ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Commit what is sent, group by group, for ever."""
        while True:
            group = await self._groups.get()
            await self._commit(group)
            self._pending -= 1
            self.committed += 1
            self._idle.set()

    async def _commit(self, group: Group) -> None:
        point("before_ack")
        await self._settle(group, group.sent)
        point("after_ack")
        if group.generation != internals.generation(self.app):
            return  # the next owner, or we after recovery, gives these outputs again
        if group.outputs:
            point("before_publish", self.name)
        for stamp, output in group.outputs:
            acknowledged = await internals.send(self.app, output.topic, output.key, output.encode(stamp), output.partition)
            future = asyncio.ensure_future(acknowledged)
            self._publishing.add(future)
            future.add_done_callback(self._published)
        point("after_publish")
        for call in group.after:
            call()
        for stage in group.later:
            await self._settle(group, await self._sent(stage))
        if group.done:
            await asyncio.gather(*self._publishing)
            await asyncio.gather(*group.also)
            if group.generation == internals.generation(self.app):
                point("before_done")
                self.app.consumer.done(group.done)

    async def _settle(self, group: Group, sent: list[tuple[int, Write, Awaitable[Any]]]) -> None:
        """Await acknowledgements, then write the local copies (unless the slots are no longer ours)."""
        results = await asyncio.gather(*[future for _, _, future in sent])
        if group.generation != internals.generation(self.app):
            return
        puts: dict[tuple[str, int], tuple[dict[bytes, bytes], int]] = {}
        for (index, write, _), metadata in zip(sent, results, strict=True):
            values, _ = puts.get((write.table, index), ({}, 0))
            values[write.key] = write.value
            puts[write.table, index] = (values, metadata.offset)
        for (name, index), (values, offset) in puts.items():
            internals.LocalCopy(self._tables[name], index).write(values.items(), offset=offset)
        point("after_rocksdb")

    def _published(self, future: asyncio.Future[Any]) -> None:
        self._publishing.discard(future)
        if not self._publishing:
            self._idle.set()
        if not future.cancelled() and future.exception() is not None:
            die(f"{self.name}: an output was not acknowledged", future.exception())
