"""Every use of what Faust, aiokafka and rocksdict do not promise, in one place.

The versions are pinned in setup.cfg; tests/integration/engine/test_internals.py fails when one of these changes.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import faust
from aiohttp.web import AppRunner, SockSite
from aiokafka.errors import CommitFailedError, IllegalGenerationError, KafkaError, UnknownMemberIdError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.web.drivers import aiohttp as web_driver
from mode.utils.queues import ThrowableQueue

from ginkgo_streams.engine.fetching import FetchSessions
from ginkgo_streams.engine.members import member_url

log = logging.getLogger("ginkgo.engine")

FETCH_WAIT_MS = 20
"""Longest wait of a fetch that finds nothing. Faust fixes 1,500: a partition that empties while a fetch of the
same broker is under way would then be seen up to 1.5 s late. The price is 50 empty fetches a second when idle."""

RECORDS_WAIT_S = 0.1
"""Longest wait for records of the partitions that are active as it begins. Faust fixes 1 s, and sleeps as long where none is active: the
first inputs after a recovery would come so much later."""

PREFETCH_BACKOFF_S = 0.002
"""How long aiokafka leaves a broker alone while a record of a paused partition (a changelog) lies undrained."""


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """aiokafka's consumer with a short fetch wait and fetch sessions, whose failed commit is an answer and not the end."""

    _reading: asyncio.Task[Any] | None = None

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._client.send = FetchSessions(consumer._client.send, partial(_assignment, consumer)).send
        return consumer

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        """Records that are there, or come within the time-out; none when told to stop meanwhile."""
        self._reading = reading = asyncio.ensure_future(super()._fetch_records(*args, **kwargs))
        try:
            await asyncio.wait([reading])
        finally:
            reading.cancel()
        return {} if reading.cancelled() else reading.result()

    def stop_reading(self) -> None:
        """End a wait for records that is under way. From the main loop; what the thread is asked for next comes behind it.

        One that lasts into the next assignment would take its first records, from behind the place that recovery has just sought, and
        Faust drops what comes while the flow is stopped: the state recovered would lack them.
        """
        if (reading := self._reading) is not None:
            self.thread_loop.call_soon_threadsafe(reading.cancel)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit; False where the broker refused it or cannot be reached. The offsets are then committed later, or
        by the next owner's replay; nothing depends on a commit but the length of that replay."""
        consumer = self._ensure_consumer()
        assigned = self.assignment()
        wanted = {TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(offset, "") for tp, offset in offsets.items() if tp in assigned}
        if not wanted:
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


def _assignment(consumer: Any) -> Any:
    """The assignment of an aiokafka consumer as it is now, None without one."""
    subscription = consumer._subscription.subscription
    return None if subscription is None else subscription.assignment


class Unread(dict[TP, int]):
    """Faust's "last offset read" of each partition, for ever unknown.

    It drops what is below it; but a message that was on its way while the partition was sought back sets it ahead of what
    is then read again, which would be dropped without a word. What comes twice is known here by its offset (`OwnedSlot`).
    """

    def __getitem__(self, tp: TP) -> None:  # type: ignore[override]
        return None


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Commits what `done` was told, and only that: Faust's list of acknowledged offsets skips gaps (its issue 606)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._done: dict[TP, int] = {}
        self._read_offset = Unread()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def stop_flow(self) -> None:
        """Let no more messages in, and read no more."""
        super().stop_flow()
        self._thread.stop_reading()

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
        """As Faust's, with short waits, and of the partitions that are active as it begins.

        Faust passes its set of them, which may be emptied meanwhile: then aiokafka hands out all that it has, and Faust drops what is
        not active without a word, though the partition is read on behind it (a standby's copy would lack it for ever).
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active = set(self._get_active_partitions())
        if not active:
            await asyncio.sleep(FETCH_WAIT_MS / 1_000)
            return {}, active
        return await self._getmany(active_partitions=active, timeout=min(timeout, RECORDS_WAIT_S)), active

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: that streams go on is the watchdog's to see. Faust tells it by events that end in a stream, which ours do not."""

    async def perform_seek(self) -> None:
        """Put every input back to where it is read from.

        aiokafka's own seek leaves a partition without a committed offset where it is: its first records, delivered and
        dropped while a rebalance was still on, would never come again.
        """
        inputs = [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]
        offsets = await start_offsets(self.app, inputs)
        await self._thread.call_thread(self._seek_assigned, offsets)
        self._committed_offset.update({tp: offset or None for tp, offset in offsets.items()})

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


class ChangelogQueue(ThrowableQueue):  # type: ignore[misc]
    """Records of changelogs on their way to their tables: those of the present assignment alone.

    Faust counts what it takes from here as read. One of an earlier assignment would stand for records that are read from elsewhere now
    (of a copy thrown away: from the start), which are then left out as known; and where its partition is no longer ours, Faust gives
    it to the table of the record before it.
    """

    def __init__(self, app: Any) -> None:
        super().__init__(app.conf.stream_buffer_maxsize, flow_control=app.flow_control)
        self._app = app

    async def get(self) -> Any:
        """The next record. When there is none, what came before goes to the tables: a standby is on disk as soon as it has caught up."""
        while True:
            if self.empty():
                self._app.tables.recovery.flush_buffers()
            event = await super().get()
            if is_present(self._app, event):
                return event


class Producer(driver.Producer):  # type: ignore[misc]
    """Idempotent: a retry neither doubles nor reorders the records of a partition."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class Transport(driver.Transport):  # type: ignore[misc]
    """Faust's transport with the parts above."""

    Consumer = Consumer
    Producer = Producer


class WebServer(web_driver.Web):  # type: ignore[misc]
    """Faust's web server with our pages and none of its own: those show tables, keys and assignments to whoever asks.

    It serves on the socket that the app was given (`EngineApp.serve`), and does not wait long for its clients at the end.
    """

    default_blueprints = production_blueprints = debug_blueprints = optional_blueprints = ()

    def __init__(self, app: Any, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self._runner = AppRunner(self.web_app, access_log=None, shutdown_timeout=1.0)

    def _create_site(self) -> SockSite:
        return SockSite(self._runner, self.app.web_socket)


class Worker(faust.Worker):  # type: ignore[misc]
    """Says by which signal it is stopped, and prints no spinner, whose escape codes would stand in front of our lines.

    Faust's own command line turns the web server on and may rename the member in the group: here an app without web views stays
    without, and the name stays ours.
    """

    def __init__(self, app: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(app, *args, **kwargs)
        self.spinner = None
        app.conf.web_enabled = app.conf.web_enabled and app.engine.web_enabled
        app.conf.canonical_url = member_url(app.engine.node_id)

    def _schedule_shutdown(self, number: signal.Signals) -> None:
        if not self._signal_stop_time:
            log.info("Received %s, gracefully stopping...", number.name)
        super()._schedule_shutdown(number)

    def _shutdown_loop(self) -> None:
        # All is stopped, and the status is decided. The closing loop would give signals their default back: one more SIGTERM
        # would make a failure of a clean end.
        for number in (signal.SIGINT, signal.SIGTERM):
            self.loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        super()._shutdown_loop()


async def send(app: Any, topic: str, key: bytes | None, value: bytes, partition: int | None) -> Awaitable[Any]:
    """Hand a record to the producer; what is returned is done when the broker has acknowledged it.

    (`topic.send`, `table[k] = v` and `send_changelog` go through a buffer that is no barrier.)
    """
    result: Awaitable[Any] = await app.producer.send(topic, key, value, partition, None, None)
    return result


def read_changelogs_by(app: Any, queue: ChangelogQueue) -> None:
    """Before the app starts: its changelogs go to their tables through a queue of ours."""
    app.tables._changelog_queue = queue


def generation(app: Any) -> int:
    """The group generation of the present assignment."""
    return int(app.consumer_generation_id)


def is_present(app: Any, event: Any) -> bool:
    """Whether an event was read under the present assignment."""
    return bool(event.message.generation_id == generation(app))


def owned_partitions(app: Any, topic: str) -> set[int]:
    """Partitions of a topic that this member is the active owner of."""
    return {tp.partition for tp in app.assignor.assigned_actives() if tp.topic == topic}


def standby_partitions(app: Any, topic: str) -> set[int]:
    """Partitions of a topic that this member keeps a standby copy of."""
    return {tp.partition for tp in app.assignor.assigned_standbys() if tp.topic == topic}


def quick_fetch(app: Any) -> None:
    """Shorten the fetcher's pause while records of paused partitions lie undrained."""
    app.consumer._thread._ensure_consumer()._fetcher._prefetch_backoff = PREFETCH_BACKOFF_S


def leave_alone(app: Any, tps: Sequence[TP]) -> None:
    """Fetch nothing from partitions until the next assignment (which starts all of them afresh).

    Faust only hides the changelogs of owned slots from its streams; aiokafka would go on asking for them, and read back
    what we write ourselves, in every fetch.
    """
    thread = app.consumer._thread
    consumer = thread._ensure_consumer()

    def pause() -> None:
        assigned = consumer.assignment()
        consumer.pause(*[p for tp in tps if (p := TopicPartition(tp.topic, tp.partition)) in assigned])

    thread.thread_loop.call_soon_threadsafe(pause)


def request_rejoin(app: Any) -> None:
    """Ask the group for a new assignment. Safe from the main loop."""
    thread = app.consumer._thread
    thread.thread_loop.call_soon_threadsafe(thread._consumer._coordinator.request_rejoin)


async def send_with_headers(
    app: Any, topic: str, key: bytes | None, value: bytes | None, partition: int | None, headers: list[tuple[str, bytes]]
) -> Awaitable[Any]:
    """As `send`, with headers."""
    result: Awaitable[Any] = await app.producer.send(topic, key, value, partition, None, headers)
    return result


async def is_member(app: Any) -> bool:
    """Whether the group's coordinator knows us as a member of its present generation, now."""
    thread = app.consumer._thread
    return bool(await thread.call_thread(thread._ensure_consumer()._coordinator._do_heartbeat))


async def start_offsets(app: Any, tps: Sequence[TP]) -> dict[TP, int]:
    """Where reading of each partition begins: at the committed offset, or the oldest record there is, if that is later."""
    thread = app.consumer._thread

    async def ask() -> dict[TP, int]:
        consumer = thread._ensure_consumer()
        wanted = [TopicPartition(tp.topic, tp.partition) for tp in tps]
        committed = await consumer._coordinator.fetch_committed_offsets(wanted)
        oldest = await consumer.beginning_offsets(wanted)
        known = {tp: committed[tp].offset for tp in wanted if tp in committed}
        return {TP(tp.topic, tp.partition): max(known.get(tp, 0), oldest[tp]) for tp in wanted}

    found: dict[TP, int] = await thread.call_thread(ask) if tps else {}
    return found


def highwater(app: Any, tp: TP) -> int | None:
    """End offset of a partition as the last fetch saw it."""
    value = app.consumer._thread._ensure_consumer().highwater(TopicPartition(tp.topic, tp.partition))
    return None if value is None else int(value)


def reading(app: Any, tp: TP) -> str:
    """How the reading of a partition stands in each of its layers: what to look at where it stands still."""
    consumer, place = app.consumer._thread._ensure_consumer(), TopicPartition(tp.topic, tp.partition)
    assignment = _assignment(consumer)
    if assignment is None or place not in assignment.tps:
        return "not assigned"
    state, fetcher = assignment.state_value(place), consumer._fetcher
    active = tp in (app.consumer._active_partitions or ())
    return (
        f"{state._status.name}, position {state._position}, end {state.highwater}, {'paused' if state.paused else 'not paused'}, "
        f"{'active' if active else 'not active'}, {'records wait' if place in fetcher._records else 'no records wait'}, "
        f"{len(fetcher._in_flight)} fetches under way, session {consumer._client.send.__self__.known(place)}"
    )


def recovered(app: Any) -> int:
    """A number that is another one when more was read of the changelogs of our slots (standby copies go on whatever a recovery does)."""
    return sum(offset or 0 for offset in app.tables.recovery.active_offsets.values())


async def end_offsets(app: Any, tps: Sequence[TP]) -> dict[TP, int]:
    """Where partitions end, as the broker says. Raises KafkaError, or AssertionError where the consumer is not there.

    Asked in the consumer's thread, but not through its queue of calls, which a call that hangs would hold up.
    """
    thread = app.consumer._thread
    consumer = thread._ensure_consumer()
    wanted = [TopicPartition(tp.topic, tp.partition) for tp in tps]
    asked = asyncio.run_coroutine_threadsafe(consumer.end_offsets(wanted), thread.thread_loop)
    found = await asyncio.wrap_future(asked)
    return {TP(tp.topic, tp.partition): int(offset) for tp, offset in found.items()}


class LocalCopy:
    """The RocksDB copy of one partition of a table, by raw keys."""

    def __init__(self, table: Any, partition: int) -> None:
        self._store = table.data
        self._partition = partition
        self._topic = table.changelog_topic_name

    @property
    def _db(self) -> Any:
        return self._store._db_for_partition(self._partition)

    def get(self, key: bytes) -> bytes | None:
        """One value."""
        value = self._db.get(key)
        return None if value is None else bytes(value)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All values, the store's own offset record left out."""
        for key, value in self._db.items():
            if key != self._store.offset_key:
                yield bytes(key), bytes(value)

    def begin(self) -> None:
        """Say of a copy that says nothing of it that nothing is read into it: Faust would take what it remembers for it."""
        if self._store.persisted_offset(TP(self._topic, self._partition)) is None:
            self.write((), offset=-1)

    def write(self, puts: Iterable[tuple[bytes, bytes]], deletes: Iterable[bytes] = (), offset: int | None = None) -> None:
        """Write at once, in one batch; `offset`: the changelog is in here up to it."""
        from rocksdict import WriteBatch

        batch = WriteBatch(raw_mode=True)
        for key, value in puts:
            batch.put(key, value)
        for key in deletes:
            batch.delete(key)
        if offset is not None:
            batch.put(self._store.offset_key, str(offset).encode())
        self._db.write(batch)

    def wipe(self) -> None:
        """Throw the copy away; the next recovery reads the whole changelog.

        The offset is put to "nothing read" and not removed: Faust's recovery remembers what it has read of a partition, and
        goes on from there where the store names no offset.
        """
        keys = [bytes(key) for key, _ in self._db.items() if key != self._store.offset_key]
        self.write((), deletes=keys, offset=-1)


def cancel_quietly(task: asyncio.Task[Any] | None) -> None:
    """Cancel a task of ours."""
    if task is not None and not task.done():
        task.cancel()
