"""The single writer of the slots that this process owns: takes what has arrived and applies it in order.

    agents ── take ──> inbox ──> writer ──> changelog records sent ──> committer (engine/committer.py)
                                  (apply)                               (acknowledged? RocksDB, outputs, inputs done)

The writer never waits for a round trip: it goes on applying while the committer awaits the acknowledgements of what was
sent. Every checkpoint (slot by slot, a few seconds apart) brings all of a slot's state durable; only then are its inputs
done and their offsets committed. What a crash loses is read again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from faust.types import TP

from ginkgo_streams.engine import internals
from ginkgo_streams.engine.arrival import Arrival
from ginkgo_streams.engine.committer import Committer
from ginkgo_streams.engine.envelope import CLAIM, OWNED, RESERVED, SLOT, Envelope, seal, unseal
from ginkgo_streams.engine.fatal import die
from ginkgo_streams.engine.faults import point
from ginkgo_streams.engine.owned import Input, OwnedSlot
from ginkgo_streams.engine.reducer import Slot
from ginkgo_streams.engine.table import FencedTable

log = logging.getLogger("ginkgo.engine")

CHECKPOINT_S = 5.0
"""Each slot's state is made durable whole this often. It bounds the replay of a successor (not what may be lost:
nothing may) at the price of writing the price windows that often: with 5,000 codes 1.3 MB a slot."""

INBOX_BOUND = 5_000
"""Inputs taken and not yet applied; beyond that the agents wait, and the rest stays in Kafka."""

GATHER_MAX_S = 0.005
"""Longest pause of the writer between two rounds. It pauses for as long as the last round took, so that under load half of
its time is left to the agents, and next to nothing when idle."""

RELEASE_TIMEOUT_S = 10.0
"""How long giving slots back may wait for the broker. Then they are left as they are: the next owner recovers."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A slot as it was given back, all of it durable. revisions: of its copies in each table then."""

    owned: OwnedSlot
    revisions: list[int]


class Runner:
    """Runs one kind of `Slot` on the partitions that its tables are assigned."""

    def __init__(
        self,
        app: Any,
        name: str,
        tables: Sequence[FencedTable],
        make_slot: Callable[[int], Slot],
        inputs: Sequence[str],
        claims: Callable[[int], Sequence[tuple[str, int]]],
        claim_message: Callable[[int, int], bytes],
        base: Callable[[], int] = lambda: 0,
        raise_base: Callable[[int], Awaitable[None]] | None = None,
        on_loaded: Callable[[dict[int, OwnedSlot]], None] = lambda slots: None,
        on_released: Callable[[], None] = lambda: None,
    ) -> None:
        """tables: the first is the primary one. inputs: the topics whose offsets this runner answers for.
        claims: the output partitions whose readers fence a slot. claim_message(slot, epoch): what to put there.
        base(): what is added to the group's generation to give the epoch; raise_base(n) makes it n for all members."""
        self.app, self.name, self.tables = app, name, list(tables)
        self.make_slot, self.inputs, self.claims, self.claim_message = make_slot, tuple(inputs), claims, claim_message
        self.on_loaded, self.on_released = on_loaded, on_released
        self.slots: dict[int, OwnedSlot] = {}
        self.base, self.raise_base = base, raise_base
        self._epochs: dict[int, int] = {}
        self._kept: dict[int, Kept] = {}
        self._claimed_generation = -1
        self._loaded_generation = -1
        self._accepting = False
        self._inbox: deque[Input] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._taken = 0
        self._committer = Committer(app, name, self.tables, self.inputs)
        self._tasks: list[asyncio.Task[Any]] = []
        self._checkpoint_turn = 0
        for table in self.tables:
            table.runner = self

    # ---- called by agents ---------------------------------------------------------------------------------------

    async def take(
        self,
        arrival: Arrival,
        message: Any,
        *,
        fence: tuple[int, int] | None = None,
        claim: tuple[int, int] | None = None,
        also: Any = None,
    ) -> None:
        """Hand over an input. message None: a dead letter, whose offset moves when `also` (an awaitable) is done.

        fence: (source, epoch) of the sender, where its topic is fenced; claim: the same, where the message is a claim.
        """
        while len(self._inbox) >= INBOX_BOUND and self._accepting:
            self._room.clear()
            await self._room.wait()
        if not self._accepting or arrival.generation != internals.generation(self.app):
            return
        self._inbox.append(Input(arrival.topic, arrival.partition, arrival.offset, arrival.generation, message, fence, claim, also))
        self._arrived.set()

    def durable(self, index: int, key: str) -> Envelope | None:
        """The value of a key of the primary table as a successor would recover it, None where there is none: for those who look
        on. Raises KeyError where the slot is not ours, or not loaded."""
        if index not in self.slots:
            raise KeyError(index)
        raw = key.encode()
        value = None if raw.startswith(RESERVED) else internals.LocalCopy(self.tables[0], index).get(raw)
        return None if value is None else unseal(value)

    @property
    def waiting(self) -> bool:
        """Whether something was taken that is not durable or not published yet."""
        return bool(self._inbox) or self._committer.waiting

    @property
    def progress(self) -> int:
        """A number that is another one when something was taken or made durable since."""
        return self._taken + self._committer.committed

    def copied(self) -> frozenset[int] | None:
        """Slots of which we keep a standby copy that is up to date; None where the present assignment is not loaded yet."""
        if self._loaded_generation != internals.generation(self.app):
            return None
        return internals.copied(self.app, [table.changelog_topic_name for table in self.tables])

    def backlog(self) -> int:
        """Inputs taken and not yet applied."""
        return len(self._inbox)

    def stop(self) -> None:
        """End the tasks, after `release`."""
        for task in self._tasks:
            internals.cancel_quietly(task)

    # ---- ownership ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start its tasks (called once, from the running loop)."""
        if not self._tasks:
            steps = (self._write_loop, self._committer.run, self._checkpoint_loop)
            self._tasks = [asyncio.ensure_future(self._guard(step)) for step in steps]

    async def _guard(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            die(f"{self.name}: {type(error).__name__}: {error}", error)

    async def on_table_assigned(self, table: FencedTable) -> None:
        """Before recovery reads anything: throw away copies not given back, and claim every slot that is ours now."""
        generation = internals.generation(self.app)
        try:
            if table is self.tables[-1] and self._claimed_generation != generation:
                await self._claim(generation)
        except Exception as error:
            die(f"{self.name}: cannot claim its slots", error)

    async def _claim(self, generation: int) -> None:
        wiped = []
        for table in self.tables:
            topic = table.changelog_topic_name
            for partition in sorted(internals.owned_partitions(self.app, topic) | internals.standby_partitions(self.app, topic)):
                if internals.LocalCopy(table, partition).get(OWNED) is not None:
                    table.throw_away(partition)
                    wiped.append(f"{table.name}-{partition}")
        if wiped:
            log.info("Local copies that were not given back are thrown away: %s", ", ".join(wiped))
        mine = sorted(internals.owned_partitions(self.app, self.tables[0].changelog_topic_name))
        epoch = self.base() + generation
        point("before_claim")
        # First where the readers of our outputs judge, then the changelogs: what an earlier owner published in front
        # of the claim was durable before it, so it is in what we recover; what it publishes behind is refused.
        sent = []
        for index in mine:
            message = self.claim_message(index, epoch)
            sent += [await internals.send(self.app, topic, str(index).encode(), message, p) for topic, p in self.claims(index)]
        await asyncio.gather(*sent)
        point("half_claim")
        sent = []
        for table in self.tables:
            for index in mine:
                sent.append(await internals.send(self.app, table.changelog_topic_name, CLAIM, seal(epoch, 0, {}, b"claim"), index))
        await asyncio.gather(*sent)
        self._epochs = dict.fromkeys(mine, epoch)
        self._claimed_generation = generation
        point("after_claim")
        log.info("%s: claimed %d slots in epoch %d", self.name, len(mine), epoch)

    async def load(self) -> None:
        """Recovery is over: build the slots from the local copies, and let inputs in."""
        try:
            await self._load()
        except Exception as error:
            die(f"{self.name}: cannot load its slots", error)

    async def _load(self) -> None:
        generation = internals.generation(self.app)
        if generation != self._claimed_generation or generation == self._loaded_generation:
            return
        point("before_load")
        slots, unread = {}, 0
        starts = await self.app.consumer.start_offsets([TP(topic, index) for topic in self.inputs for index in self._epochs])
        for index, epoch in self._epochs.items():
            if await self._outdated(index, epoch, internals.LocalCopy(self.tables[0], index).get(CLAIM)):
                return
            delivered = {topic: starts[TP(topic, index)] - 1 for topic in self.inputs}
            kept = self._kept.get(index)
            if kept is not None and kept.revisions == self._revisions(index) and kept.owned.is_at(delivered):
                owned = kept.owned.again(epoch)
                unread += 1
            else:
                owned = await self._read(index, epoch)
            owned.delivered = delivered
            owned.recovered()
            slots[index] = owned
        if generation != internals.generation(self.app):
            return
        # From here on the copies may hold what the changelogs do not. Up to here they are true, whatever rebalance comes.
        for table in self.tables:
            for index, epoch in self._epochs.items():
                internals.LocalCopy(table, index).write([(OWNED, str(epoch).encode())])
        # Durable already; but slots that are given back before anything arrived need something to ask the group's consent with.
        self.app.consumer.done({TP(topic, index): starts[TP(topic, index)] for topic in self.inputs for index in slots})
        self.slots, self._kept = slots, {}
        self._loaded_generation = generation
        internals.quick_fetch(self.app)
        internals.leave_alone(self.app, [TP(table.changelog_topic_name, index) for table in self.tables for index in slots])
        self.on_loaded(slots)
        self._accepting = True
        self.start()
        log.info("%s: %d slots loaded%s", self.name, len(slots), f", {unread} of them as they were given back" if unread else "")
        await self._send()  # what was loaded has something to give again, and nothing may arrive for it

    async def _read(self, index: int, epoch: int) -> OwnedSlot:
        """A slot out of its local copies."""
        owned = OwnedSlot(index, epoch, self.make_slot(index), self.tables[0].name)
        for table in self.tables:
            owned.load(table.name, table.live_items(index), time.monotonic())
            await asyncio.sleep(0)
        owned.load_slot(internals.LocalCopy(self.tables[0], index).get(SLOT))
        return owned

    def _revisions(self, index: int) -> list[int]:
        return [table.revisions[index] for table in self.tables]

    async def _outdated(self, index: int, epoch: int, claim: bytes | None) -> bool:
        """Whether the changelog holds a greater claim than ours.

        Then either we were fenced (the group has a newer generation, and a new assignment is on its way), or the
        group was deleted or expired and its generation began again at 1: then epochs have to start above the old ones.
        """
        newest = -1 if claim is None else unseal(claim).epoch
        if newest <= epoch:
            return False
        if await internals.is_member(self.app):
            log.warning("%s: the group began anew: slot %d was claimed in epoch %d, it gives %d", self.name, index, newest, epoch)
            if self.raise_base is None:
                die(f"{self.name}: the consumer group began anew below epoch {newest}, and this app has no place to keep a base")
            else:
                await self.raise_base(newest)
        internals.request_rejoin(self.app)
        return True

    async def release(self) -> None:
        """Our slots may go elsewhere: make everything durable, commit, and mark the copies as given back.

        Where the commit is accepted, we were the owner until after our last record was acknowledged, so the copies
        are true. Where it is not, or the broker does not answer, they are thrown away at the next assignment.
        """
        if not self._accepting:
            return
        log.info("%s: giving %d slots back", self.name, len(self.slots))
        self._accepting = False
        self._room.set()
        self._inbox.clear()
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                await self._committer.checkpoint(list(self.slots.values()), self._loaded_generation)
                await self._committer.drained()
                clean = await self.app.consumer.commit_done()
        except TimeoutError:
            clean = False
        if clean:
            for table in self.tables:
                for index in self.slots:
                    internals.LocalCopy(table, index).write((), deletes=[OWNED])
            # Copy and memory are the same; if the slots come back and nobody wrote meanwhile, they need not be read.
            self._kept = {index: Kept(owned, self._revisions(index)) for index, owned in self.slots.items() if not owned.pending}
        else:
            log.warning("%s: slots given back without the group's consent; the next owner recovers them", self.name)
        self.slots = {}
        self._epochs = {}
        self.on_released()

    # ---- the writer ---------------------------------------------------------------------------------------------

    async def _write_loop(self) -> None:
        ended = spent = 0.0
        while True:
            await self._arrived.wait()
            # Leave the agents as much time as the last round took: what arrives together is cheaper together.
            if (pause := ended + min(spent, GATHER_MAX_S) - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            began = time.monotonic()
            self._arrived.clear()
            items = list(self._inbox)
            self._inbox.clear()
            self._room.set()
            generation = internals.generation(self.app)
            by_slot: dict[int, list[Input]] = {}
            for item in items:
                if item.generation == generation and self._accepting:
                    by_slot.setdefault(item.partition, []).append(item)
            await internals.let_send()  # what others have given to the producer, as the router its ticks
            for index, arrived in by_slot.items():
                if generation != internals.generation(self.app) or not self._accepting:
                    break  # these slots are no longer those that the inputs were for
                if (owned := self.slots.get(index)) is not None:
                    self._taken += owned.apply_all(arrived)
                    point("after_apply")
                    if owned.pending:  # at once: an order need not wait for what the other slots have to do
                        await self._send()
                    await internals.let_send()
            ended = time.monotonic()
            spent = ended - began

    async def _send(self) -> None:
        await self._committer.send(self.slots.values(), self._loaded_generation)

    async def _checkpoint_loop(self) -> None:
        while True:
            await asyncio.sleep(CHECKPOINT_S / max(1, len(self.slots)))
            if not self._accepting or not self.slots:
                continue
            order = sorted(self.slots)
            self._checkpoint_turn = (self._checkpoint_turn + 1) % len(order)
            owned = self.slots[order[self._checkpoint_turn]]
            if owned.changed or owned.stale(time.monotonic()):
                await self._committer.checkpoint([owned], self._loaded_generation)
