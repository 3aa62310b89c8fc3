"""A real broker, a database in a home folder of the test's own, the control topic, and a cluster of two that only answers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from ginkgo_streams.commands import reach
from ginkgo_streams.config import Settings, load_settings
from ginkgo_streams.local.kafka import Broker
from ginkgo_streams.messages import ControlCommand, Snapshot, decode, iso
from ginkgo_streams.portfolios.store import open_store
from ginkgo_streams.storage.portfolios import PortfolioStore
from ginkgo_streams.storage.snapshots import SnapshotStore
from ginkgo_streams.topics import CONTROL, LIVECORE_APP, NODE_APP
from tests.servers.program import ginkgo

__all__ = ["answering", "control", "ginkgo", "settings", "store"]

Sent = list[tuple[int, bytes, ControlCommand]]
Answer = Callable[[ControlCommand], Snapshot | None]


@pytest.fixture
def settings(kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home folder of the test's own and the session's broker."""
    monkeypatch.setenv("GINKGO_HOME", str(tmp_path))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap)
    return load_settings()


@pytest.fixture
def store(settings: Settings) -> PortfolioStore:
    return open_store(settings)


@pytest.fixture
def control(settings: Settings) -> Callable[[str], Sent]:
    """The commands that the control topic holds for a portfolio, with partition and key."""

    def read(portfolio_id: str) -> Sent:
        return [each for each in asyncio.run(_read(settings.kafka.bootstrap)) if each[2].target_id == portfolio_id]

    return read


async def _read(bootstrap: str) -> Sent:
    consumer = AIOKafkaConsumer(CONTROL, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        found: Sent = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for partition, records in (await consumer.getmany(timeout_ms=1000)).items():
                found += [(partition.partition, record.key, decode(record.value, ControlCommand)) for record in records]
        return found
    finally:
        await consumer.stop()


@pytest.fixture
def answering(settings: Settings, store: PortfolioStore) -> Callable[[Answer], AbstractContextManager[None]]:
    """Members in both groups, of which one answers each command with a snapshot in the database, as node and livecore would together."""

    @contextmanager
    def run(answer: Answer) -> Iterator[None]:
        asyncio.run(reach(settings))
        stop, ready = threading.Event(), threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(_answer(settings.kafka.bootstrap, store, answer, stop, ready)))
        thread.start()
        assert ready.wait(60)
        try:
            yield
        finally:
            stop.set()
            thread.join(60)

    return run


async def _answer(bootstrap: str, store: PortfolioStore, answer: Answer, stop: threading.Event, ready: threading.Event) -> None:
    node, livecore = (
        AIOKafkaConsumer(CONTROL, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="latest")
        for group in (NODE_APP, LIVECORE_APP)
    )
    await node.start()
    await livecore.start()
    try:
        while not (node.assignment() and livecore.assignment()):
            await asyncio.sleep(0.02)
        for partition in node.assignment():
            await node.position(partition)
        ready.set()
        seq = time.time_ns()
        while not stop.is_set():
            for records in (await node.getmany(timeout_ms=100)).values():
                for record in records:
                    seq += 1
                    answered = answer(decode(record.value, ControlCommand))
                    if answered is not None:
                        await asyncio.to_thread(SnapshotStore(store.engine).save, [_numbered(answered, seq)])
    finally:
        await node.stop()
        await livecore.stop()


def _numbered(answered: Snapshot, seq: int) -> Snapshot:
    answered.seq = seq
    answered.updated_at = iso(time.time_ns() // 1_000_000)
    return answered
