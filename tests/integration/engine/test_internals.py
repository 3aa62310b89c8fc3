"""What `engine/internals.py` uses of Faust, aiokafka and rocksdict without their promise is still there, and still does it."""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.subscription_state import SubscriptionState
from faust.app.base import App
from faust.stores.rocksdb import Store
from faust.tables import base as tables
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport import consumer as consumers
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import MethodQueue, MethodQueueWorker, WorkerThread
from rocksdict import WriteBatch

from ginkgo_streams.engine import internals
from ginkgo_streams.engine.app import AppSettings, EngineApp
from ginkgo_streams.engine.consumer import FETCH_WAIT_MS, TOGETHER, _batches, _message
from ginkgo_streams.engine.provision import provision
from ginkgo_streams.engine.topics import kept
from ginkgo_streams.local.kafka import Broker

PINNED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "rocksdict": "0.3.29", "mode-streaming": "0.7.1"}


def source(thing: Any) -> str:
    return inspect.getsource(thing)


def test_internals_versions_are_the_ones_that_were_read() -> None:
    assert {name: version(name) for name in PINNED} == PINNED


def test_internals_faust_commits_what_the_overridden_methods_give() -> None:
    force = source(consumers.Consumer.force_commit) + source(consumers.Consumer._commit_tps)
    assert "_filter_tps_with_pending_acks" in force
    assert "_filter_committable_offsets" in force
    assert "perform_seek" in source(Recovery.on_recovery_completed)
    assert "consumer._drain_messages" in source(consumers.Fetcher)
    assert "self._commit" in source(driver.AIOKafkaConsumerThread.commit)
    assert "_create_worker_consumer" in source(driver.AIOKafkaConsumerThread._create_consumer)


def test_internals_tables_are_assigned_before_recovery_reads_and_slots_load_before_inputs_flow() -> None:
    rebalance = source(TableManager.on_rebalance)
    assert rebalance.index("table.on_rebalance") < rebalance.index("self.recovery.on_rebalance")
    assert "persisted_offset" in source(Recovery._add)  # asked for in recovery.on_rebalance, after a wipe
    completed = source(Recovery.on_recovery_completed)
    assert completed.index("on_rebalance_complete.send") < completed.index("consumer.resume_partitions")
    revoked = source(App._on_partitions_revoked)
    assert revoked.index("stop_flow") < revoked.index("on_partitions_revoked.send")
    assert "signal_recovery_end.wait()" in source(Recovery._restart_recovery.fun)
    assert "self.active_offsets" in source(Recovery.active_remaining)
    assert "offset_key" in source(Store.persisted_offset)
    assert hasattr(tables.Collection, "changelog_topic_name")
    assert {"put", "delete"} <= set(dir(WriteBatch))


def test_internals_aiokafka_consumer_has_what_is_changed_and_asked(kafka: Broker) -> None:
    async def look() -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id="internals", enable_auto_commit=False)
        assert hasattr(consumer, "_fetch_max_wait_ms")
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        await consumer.start()
        try:
            assert consumer._fetcher._fetch_max_wait_ms == FETCH_WAIT_MS
            assert hasattr(consumer._fetcher, "_prefetch_backoff")
            assert consumer._fetcher._client is consumer._client
            assert "self._client.send(" in inspect.getsource(type(consumer._fetcher)._proc_fetch_request)
            consumer.subscribe(["a"])
            assert hasattr(consumer._subscription.subscription, "assignment")
            coordinator = consumer._coordinator
            for name in ("pause", "assignment"):
                assert hasattr(consumer, name), name
            for name in ("request_rejoin", "_do_heartbeat", "fetch_committed_offsets", "generation"):
                assert hasattr(coordinator, name), name
        finally:
            await consumer.stop()

    asyncio.run(look())


def test_internals_records_are_read_of_the_partitions_that_were_active_as_the_reading_began() -> None:
    """Faust's own set of them may be emptied meanwhile; aiokafka takes an empty one for all that there are."""
    app = EngineApp(AppSettings("internals", "n1", "127.0.0.1:1", Path("unused")))
    consumer, place = app.consumer, TP("changelog", 0)
    consumer.resume_partitions({place})
    asked: list[set[TP]] = []

    async def drain(active_partitions: set[TP], timeout: float) -> dict[TP, list[str]]:
        consumer.pause_partitions({place})
        asked.append(active_partitions)
        return {place: ["record"]}

    consumer._getmany = drain
    assert asyncio.run(consumer._wait_next_records(1.0)) == ({place: ["record"]}, {place})
    assert asked == [{place}]
    assert asyncio.run(consumer._wait_next_records(1.0)) == ({}, set())


def test_internals_records_that_were_read_together_go_through_faust_as_one_event() -> None:
    """Each partition's in its order, none left out, `None` for a value too."""

    def record(offset: int) -> Any:
        return SimpleNamespace(offset=offset, timestamp=7, key=b"k", value=None if offset % 2 else b"v")

    async def through() -> None:
        app = EngineApp(AppSettings("internals", "n1", "127.0.0.1:1", Path("unused")))
        inputs = {TP("a", 0): [record(n) for n in range(TOGETHER + 1)], TP("b", 0): [record(5)], TP("a", 1): [record(2)]}
        events = [await app.raw_topic(batch[0].topic).decode(_message(batch), propagate=True) for batch in _batches(inputs, 3)]
        assert [[(one.topic, one.partition, one.offset) for one in event.value] for event in events] == [
            [("a", 0, n) for n in range(TOGETHER)], [("a", 0, TOGETHER), ("a", 1, 2)], [("b", 0, 5)],
        ]  # fmt: skip
        assert [event.message.generation_id for event in events] == [3, 3, 3]
        assert {one.value for event in events for one in event.value} == {b"v", None}

    asyncio.run(through())
    assert "method_queue._process_enqueued" in source(MethodQueueWorker)
    assert "call_soon_threadsafe" in source(MethodQueue._process_enqueued)


def test_internals_producer_has_written_what_it_was_given_when_it_was_let_to(kafka: Broker) -> None:
    async def send() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True)
        await producer.start()
        try:
            await producer.send_and_wait("internals-written", b"first", partition=0)
            written: list[Any] = []
            to_broker = producer.client.send

            def send(node: int, request: Any, **options: Any) -> Any:
                written.append(request)
                return to_broker(node, request, **options)

            producer.client.send = send
            acknowledged = await producer.send("internals-written", b"second", partition=0)
            assert not written
            await internals.let_send()
            assert len(written) == 1
            await acknowledged
        finally:
            await producer.stop()

    asyncio.run(provision(kafka.bootstrap, [kept("internals-written", 1, 1)], 30))
    asyncio.run(send())


def test_internals_consumers_thread_has_a_loop_that_another_thread_may_close_connections_of() -> None:
    """The main loop's thread does, where it collects garbage; uvloop's loop ends the process then."""

    async def loops() -> tuple[Any, Any]:
        app = EngineApp(AppSettings("internals", "n1", "127.0.0.1:1", Path("unused")))
        return asyncio.get_running_loop(), app.consumer._thread.thread_loop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        main, thread = asyncio.run(loops())
    finally:
        asyncio.set_event_loop_policy(None)
    assert isinstance(main, uvloop.Loop)
    assert isinstance(thread, asyncio.SelectorEventLoop)
    assert "self.service._start_thread()" in source(WorkerThread.run)


def test_internals_wait_for_records_ends_when_the_flow_is_stopped() -> None:
    """It would take records of the next assignment, which Faust then drops."""

    async def stop() -> None:
        app = EngineApp(AppSettings("internals", "n1", "127.0.0.1:1", Path("unused")))
        consumer, thread = app.consumer, app.consumer._thread
        thread.thread_loop = asyncio.get_running_loop()
        waits = asyncio.Event()

        async def fetched_records(*args: Any, **kwargs: Any) -> Any:
            waits.set()
            await asyncio.Event().wait()

        fetcher = SimpleNamespace(_closed=False, _subscriptions=SubscriptionState(), fetched_records=fetched_records)
        reading = asyncio.ensure_future(thread._fetch_records(SimpleNamespace(_closed=False, _fetcher=fetcher), {TP("changelog", 0)}))
        await waits.wait()
        ended = app.tables.recovery.signal_recovery_end
        ended.set()
        consumer.stop_flow()
        assert not ended.is_set()
        async with asyncio.timeout(10):
            assert await reading == {}
        assert "consumer.stop_flow" in source(App._on_partitions_revoked)

    asyncio.run(stop())


def test_internals_end_of_a_partition_that_is_no_longer_ours_is_not_known() -> None:
    """A rebalance takes a partition in the consumer's thread, while the loop still holds its slot."""

    async def ask() -> None:
        subscriptions = SubscriptionState()
        consumer = SimpleNamespace(_subscription=subscriptions)
        app = SimpleNamespace(consumer=SimpleNamespace(_thread=SimpleNamespace(_ensure_consumer=lambda: consumer)))
        assert internals.highwater(app, TP("here", 0)) is None
        subscriptions.assign_from_user([TopicPartition("here", 0)])
        subscriptions.subscription.assignment.state_value(TopicPartition("here", 0)).highwater = 7
        assert [internals.highwater(app, TP(topic, 0)) for topic in ("here", "gone")] == [7, None]

    asyncio.run(ask())


def test_internals_local_copy_writes_reads_and_wipes_raw_keys(tmp_path: Path) -> None:
    from rocksdict import Options, Rdict

    class Table:
        changelog_topic_name = "t"

        class data:
            offset_key = Store.offset_key
            db = Rdict(str(tmp_path / "db"), Options(raw_mode=True))

            @classmethod
            def _db_for_partition(cls, partition: int) -> Any:
                return cls.db

    copy = internals.LocalCopy(Table, 0)
    copy.write([(b"a", b"1"), (b"b", b"2")], deletes=[b"b"], offset=7)
    assert copy.get(b"a") == b"1"
    assert list(copy.items()) == [(b"a", b"1")]
    assert Table.data.db.get(Store.offset_key) == b"7"
    copy.wipe()
    assert copy.get(b"a") is None
    assert Table.data.db.get(Store.offset_key) == b"-1"


def test_internals_stores_are_opened_before_the_group_is_joined_but_for_one_that_another_holds(tmp_path: Path) -> None:
    app = EngineApp(AppSettings("internals", "n1", "127.0.0.1:1", tmp_path))
    tables = [app.fenced_table(name, 2) for name in ("a", "b")]
    app.runners.append(cast(Any, SimpleNamespace(tables=tables)))
    held = tables[1].data.rocksdb_options.open(tables[1].data.partition_path(1))
    asyncio.run(app.on_first_start())
    assert [sorted(table.data._dbs) for table in tables] == [[0, 1], [0]]
    held.close()
    assert "_db_for_partition" in source(Store._try_open_db_for_partition)
