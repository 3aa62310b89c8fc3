"""How records come out of Kafka: Faust's consumer and aiokafka's below it, with what they get wrong for state that must be whole.

As `internals`, this leans on what they do not promise; tests/integration/engine/test_internals.py fails when it changes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalGenerationError, KafkaError, UnknownMemberIdError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode.threads import MethodQueue

from ginkgo_streams.engine.arrival import Arrival
from ginkgo_streams.engine.fetching import FetchSessions

FETCH_WAIT_MS = 20
"""Longest wait of a fetch that finds nothing. Faust fixes 1,500: a partition that empties while a fetch of the
same broker is under way would then be seen up to 1.5 s late. The price is 50 empty fetches a second when idle."""

RECORDS_WAIT_S = 0.1
"""Longest wait for records of the partitions that are active as it begins. Faust fixes 1 s, and sleeps as long where none is active: the
first inputs after a recovery would come so much later."""

TOGETHER = 32
"""Inputs of a topic handed to its agent at once, at most: it takes them without giving the loop to others. (One by one each costs Faust
150 µs, as much as many of ours take for all else.)"""

PREFETCH_BACKOFF_S = 0.002
"""How long aiokafka leaves a broker alone while a record of a paused partition (a changelog) lies undrained."""

HAND_OVER_S = 0.0001
"""How long the consumer's thread leaves the interpreter to the main loop once it has something for it. It would go on with the next fetch,
and keep it for half a millisecond."""


class HandingOver(MethodQueue):  # type: ignore[misc]
    """What the consumer's thread is asked for by the main loop; the answer is taken before the thread goes on."""

    async def _process_enqueued(self, p: Any) -> Any:
        promise = await super()._process_enqueued(p)
        time.sleep(HAND_OVER_S)  # noqa: ASYNC251  # the whole thread is to wait, not this coroutine
        return promise


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """aiokafka's consumer with a short fetch wait and fetch sessions, whose failed commit is an answer and not the end."""

    _reading: asyncio.Task[Any] | None = None
    _method_queue: MethodQueue | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Its loop is the standard library's: the main loop's thread closes connections of it that were dropped (see `garbage`), which
        uvloop's loop, at work in another thread, does not survive."""
        super().__init__(*args, thread_loop=asyncio.SelectorEventLoop(), **kwargs)

    @property
    def method_queue(self) -> MethodQueue:
        """See `HandingOver`."""
        if self._method_queue is None:
            self._method_queue = HandingOver(loop=self.thread_loop, beacon=self.beacon)
        return self._method_queue

    def _start_thread(self) -> None:
        try:
            super()._start_thread()
        finally:
            self.thread_loop.close()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._client.send = FetchSessions(consumer._client.send, partial(assignment_of, consumer)).send
        return consumer

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        """Records that are there, or come within the time-out; none when told to stop meanwhile."""
        self._reading = reading = asyncio.ensure_future(super()._fetch_records(*args, **kwargs))
        try:
            return await reading
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # a coroutine runs in a task
                raise
            return {}

    def stop_reading(self) -> None:
        """End a wait for records that is under way. From the main loop; what the thread is asked for next comes behind it.

        One that lasts into the next assignment would take its first records, from behind the place that recovery has just sought, and
        Faust drops what comes while the flow is stopped: the state recovered would lack them.
        """
        if (reading := self._reading) is not None and not self.thread_loop.is_closed():
            self.thread_loop.call_soon_threadsafe(reading.cancel)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit; False where the broker refused it or cannot be reached. The offsets are then committed later, or
        by the next owner's replay; nothing depends on a commit but the length of that replay."""
        consumer = self._ensure_consumer()
        assigned = self.assignment()
        wanted = {TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(offset, "") for tp, offset in offsets.items() if tp in assigned}
        # Of one that the group has thrown out aiokafka forgets the generation, and a group that is empty takes a commit of nobody.
        if not wanted or consumer._coordinator.generation != self.app.consumer_generation_id:
            return False
        try:
            await consumer.commit(wanted)
        except (CommitFailedError, IllegalGenerationError, UnknownMemberIdError) as error:
            self.log.info("Commit refused, no longer the owner: %r", error)
            return False
        except KafkaError as error:
            self.log.warning("Commit failed, will be tried again: %r", error)
            return False
        return True


def assignment_of(consumer: Any) -> Any:
    """The assignment of an aiokafka consumer as it is now, None without one."""
    subscription = consumer._subscription.subscription
    return None if subscription is None else subscription.assignment


def _batches(inputs: Mapping[TP, Sequence[Any]], generation: int) -> Iterator[tuple[Arrival, ...]]:
    """What was read together, in parts of one topic each; partition by partition, so that each keeps its order."""
    by_topic: dict[str, list[Arrival]] = {}
    for tp, records in inputs.items():
        by_topic.setdefault(tp.topic, []).extend(
            Arrival(tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value, generation) for record in records
        )
    for arrivals in by_topic.values():
        for start in range(0, len(arrivals), TOGETHER):
            yield tuple(arrivals[start : start + TOGETHER])


def _message(batch: tuple[Arrival, ...]) -> ConsumerMessage:
    """Faust's message with several of ours for its value: what it asks of a message it is told of the first."""
    first = batch[0]
    return ConsumerMessage(
        first.topic, first.partition, first.offset, first.timestamp / 1_000, 0, None, None, batch, None, 0, 0,
        TP(first.topic, first.partition), generation_id=first.generation,
    )  # fmt: skip


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Hands inputs to the streams and changelogs to their tables, and commits what `done` was told, and only that: Faust's list of
    acknowledged offsets skips gaps (its issue 606)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._done: dict[TP, int] = {}
        self._starts: tuple[int, dict[TP, int]] = (-1, {})

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def stop_flow(self) -> None:
        """Let no more messages in, and read no more. What `_recover` said of the last recovery is no word of the next: its wait would be
        over before anything was read. (Faust forgets it with the next record of its queue, which we do not use, or after 5 s.)"""
        super().stop_flow()
        self._thread.stop_reading()
        self.app.tables.recovery.signal_recovery_end.clear()

    def done(self, offsets: Mapping[TP, int]) -> None:
        """Inputs below these offsets are durable: the next commit may pass them."""
        self._done.update(offsets)

    def forget(self) -> None:
        """Partitions were revoked: what was not committed is the next owner's to read again."""
        self._done.clear()

    async def commit_done(self) -> bool:
        """Commit now. True where the group's coordinator took it: we are a member, and nobody else owns our slots."""
        offsets = dict(self._done)
        if not offsets:
            return False
        committed = bool(await self._thread.commit(offsets))
        if committed:
            self._committed_offset.update(offsets)
        return committed

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        """As Faust's, of the partitions that are active as it begins.

        Faust passes its set of them, which may be emptied meanwhile: then aiokafka hands out all that it has, and Faust drops what is
        not active without a word, though the partition is read on behind it (a standby's copy would lack it for ever).
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active = set(self._get_active_partitions())
        if not active:
            await asyncio.sleep(FETCH_WAIT_MS / 1_000)
            return {}, active
        return await self._getmany(active_partitions=active, timeout=timeout), active

    async def _drain_messages(self, fetcher: Any) -> None:
        """Read for ever, in place of Faust's loop. That one makes two tasks of every message; drops inputs below the last that it has
        seen, though they were sought back to; and lets changelogs through a queue that outlives the assignment they were read under."""
        stopped, app = self._stopped.is_set, self.app
        try:
            while not (stopped() or fetcher._stopped.is_set()):
                inputs, _ = await self._wait_next_records(RECORDS_WAIT_S)
                generation = app.consumer_generation_id
                changelogs = {tp: inputs.pop(tp) for tp in list(inputs) if self._is_changelog_tp(tp)}
                # What is left out here was read under an assignment that has ended, and in front of the seeks of the next.
                for tp, records in changelogs.items():
                    await asyncio.sleep(0)
                    if not self.flow_active or generation != app.consumer_generation_id:
                        break
                    self._recover(tp, records)
                for batch in _batches(inputs, generation):
                    if not self.flow_active or generation != app.consumer_generation_id:
                        break
                    await self.callback(_message(batch))
                    await asyncio.sleep(0)
                await asyncio.sleep(0)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not app.should_stop:
                raise

    def _recover(self, tp: TP, records: Sequence[Any]) -> None:
        """Fold a piece of changelog into its table's copy, and tell Faust how far that is."""
        recovery = self.app.tables.recovery
        if tp in recovery.active_tps:
            offsets = recovery.active_offsets
        elif tp in recovery.standby_tps:
            offsets = recovery.standby_offsets
        else:
            return
        seen = -1 if offsets[tp] is None else offsets[tp]
        if new := [record for record in records if record.offset > seen]:
            self.app.tables._changelogs[tp.topic].apply_changelog(tp.partition, new)
            offsets[tp] = new[-1].offset
        recovery._active_events_received_at[tp] = recovery._last_flush_at = time.monotonic()
        if recovery.in_recovery and not recovery.need_recovery():
            recovery.signal_recovery_end.set()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: that streams go on is the watchdog's to see. Faust tells it by events that end in a stream, which ours do not."""

    async def perform_seek(self) -> None:
        """Put every input back to where it is read from.

        aiokafka's own seek leaves a partition without a committed offset where it is: its first records, delivered and
        dropped while a rebalance was still on, would never come again.
        """
        offsets = await self.start_offsets(self._inputs())
        self._starts = (-1, {})  # from here on they move
        await self._thread.call_thread(self._seek_assigned, offsets)
        self._committed_offset.update({tp: offset or None for tp, offset in offsets.items()})

    async def start_offsets(self, tps: Sequence[TP]) -> dict[TP, int]:
        """Where reading of each partition begins: at the committed offset, or the oldest record there is, if that is later.

        Asked once for all inputs of an assignment: nobody else commits them, and we read none before `perform_seek`.
        """
        if self._starts[0] != self.app.consumer_generation_id:
            self._starts = (self.app.consumer_generation_id, {})
        known = self._starts[1]
        if not known.keys() >= set(tps):
            known.update(await self._thread.call_thread(self._ask_starts, {*tps, *self._inputs()}))
        return {tp: known[tp] for tp in tps}

    def _inputs(self) -> list[TP]:
        return [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]

    async def _ask_starts(self, tps: Iterable[TP]) -> dict[TP, int]:
        """In the consumer's thread."""
        consumer = self._thread._ensure_consumer()
        wanted = [TopicPartition(tp.topic, tp.partition) for tp in tps]
        committed, oldest = await asyncio.gather(consumer._coordinator.fetch_committed_offsets(wanted), consumer.beginning_offsets(wanted))
        known = {tp: committed[tp].offset for tp in wanted if tp in committed}
        return {TP(tp.topic, tp.partition): max(known.get(tp, 0), oldest[tp]) for tp in wanted}

    async def _seek_assigned(self, offsets: Mapping[TP, int]) -> None:
        """In the consumer's thread. Waits for nothing: Faust seeks in mid-rebalance too, and reads no changelog meanwhile."""
        consumer = self._thread._ensure_consumer()
        for tp, offset in offsets.items():
            if (place := TopicPartition(tp.topic, tp.partition)) in consumer.assignment():
                consumer.seek(place, offset)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter([tp for tp in self._done if topics is None or tp in topics or tp.topic in topics])

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        return {tp: self._done[tp] for tp in tps if tp in self._done and self._should_commit(tp, self._done[tp])}
