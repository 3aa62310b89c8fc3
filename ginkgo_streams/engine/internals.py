"""Every use of what Faust, aiokafka and rocksdict do not promise, in one place (with `consumer` and `fetching`, which read).

The versions are pinned in setup.cfg; tests/integration/engine/test_internals.py fails when one of these changes.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import faust
from aiohttp.web import AppRunner, SockSite
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.web.drivers import aiohttp as web_driver

from ginkgo_streams.engine.consumer import PREFETCH_BACKOFF_S, Consumer, assignment_of
from ginkgo_streams.engine.members import member_url

log = logging.getLogger("ginkgo.engine")


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


SENDING_ROUNDS = 4
"""Rounds of the loop in which aiokafka writes to its connection what it was given."""


async def let_send() -> None:
    """Let the producer write what it was given, before the loop is kept for long."""
    for _ in range(SENDING_ROUNDS):
        await asyncio.sleep(0)


def generation(app: Any) -> int:
    """The group generation of the present assignment."""
    return int(app.consumer_generation_id)


def owned_partitions(app: Any, topic: str) -> set[int]:
    """Partitions of a topic that this member is the active owner of."""
    return {tp.partition for tp in app.assignor.assigned_actives() if tp.topic == topic}


def standby_partitions(app: Any, topic: str) -> set[int]:
    """Partitions of a topic that this member keeps a standby copy of."""
    return {tp.partition for tp in app.assignor.assigned_standbys() if tp.topic == topic}


def copied(app: Any, topics: Sequence[str]) -> frozenset[int]:
    """Partitions of which this member's standby copies of all these changelogs have reached where they ended when it began to read them
    under the present assignment. To be asked when that one's own slots are recovered: only then Faust knows those ends."""
    recovery = app.tables.recovery

    def there(topic: str) -> set[int]:
        ends, at = recovery.standby_highwaters, recovery.standby_offsets
        tps = [tp for tp in recovery.standby_tps if tp.topic == topic and tp in ends]
        return {tp.partition for tp in tps if (-1 if at[tp] is None else at[tp]) >= ends[tp]}

    return frozenset(set.intersection(*(there(topic) for topic in topics)))


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


def highwater(app: Any, tp: TP) -> int | None:
    """End offset of a partition as the last fetch saw it; None where there was none, or the partition is not ours (any more)."""
    state = _state(app, tp)
    return None if state is None or state.highwater is None else int(state.highwater)


def _state(app: Any, tp: TP) -> Any:
    """What aiokafka knows of a partition of its assignment as it is now; None of another."""
    place = TopicPartition(tp.topic, tp.partition)
    assignment = assignment_of(app.consumer._thread._ensure_consumer())
    return None if assignment is None or place not in assignment.tps else assignment.state_value(place)


def reading(app: Any, tp: TP) -> str:
    """How the reading of a partition stands in each of its layers: what to look at where it stands still."""
    if (state := _state(app, tp)) is None:
        return "not assigned"
    consumer, place = app.consumer._thread._ensure_consumer(), TopicPartition(tp.topic, tp.partition)
    fetcher = consumer._fetcher
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


OPEN_AHEAD = 128
"""Stores opened before the group is joined, at most."""


def open_ahead(tables: Sequence[Any]) -> None:
    """Open the tables' stores while nobody waits for them. A new member opens them in its event loop otherwise (17 ms each, up to 70 on a
    busy machine), with its new slots standing still. What cannot be opened, as one that another process still holds, is left to the
    assignment: Faust waits for it there, or says what is wrong with it."""
    for table, partition in [(each, number) for each in tables for number in range(each.partitions)][:OPEN_AHEAD]:
        try:
            table.data._db_for_partition(partition)
        except Exception as error:
            log.info("Store %s-%d is not opened ahead: %s", table.name, partition, error)
            return


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
