"""A test's own way to the topics: one loop in a thread, one producer, readers that remember what they have read."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from ginkgo_streams import messages as m
from ginkgo_streams.feeds.position import partitions_of

T = TypeVar("T")

CALL_S = 90.0


class Topics:
    """Sends to and reads from the topics of one broker, from a test's thread."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="topics", daemon=True)
        self._thread.start()
        self._producer: AIOKafkaProducer | None = None
        self._readers: dict[str, _Reader] = {}
        self._reading = threading.Lock()

    def send(self, topic: str, value: bytes, key: bytes | None = None, partition: int | None = None) -> None:
        """One record; returns when it is acknowledged."""
        self.send_all(topic, [(key, value, partition)])

    def send_all(self, topic: str, records: Iterable[tuple[bytes | None, bytes, int | None]]) -> None:
        """(key, value, partition) each; returns when all are acknowledged."""
        self._call(self._send_all(topic, list(records)))

    def records(self, topic: str) -> list[Any]:
        """Every record of a topic up to its end as it is now, each partition in order."""
        with self._reading:
            return list(self._call(self._records(topic)))

    def messages(self, topic: str, kind: Any) -> list[Any]:
        """Every record of a topic, decoded."""
        return [m.decode(record.value, kind) for record in self.records(topic)]

    def close(self) -> None:
        """Ends everything; a consumer whose stop() hangs is left to the end of the loop."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_S)

    async def _send_all(self, topic: str, records: list[tuple[bytes | None, bytes, int | None]]) -> None:
        if self._producer is None:
            producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, enable_idempotence=True, acks="all")
            await producer.start()
            self._producer = producer
        sent = [await self._producer.send(topic, value, key, partition) for key, value, partition in records]
        await asyncio.gather(*sent)

    async def _records(self, topic: str) -> list[Any]:
        reader = self._readers.get(topic)
        if reader is None:
            reader = self._readers[topic] = _Reader(topic, self.bootstrap)
            await reader.start()
        await reader.read()
        return reader.found

    async def _close(self) -> None:
        if self._producer is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._producer.stop(), 5)
        for reader in self._readers.values():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.consumer.stop(), 5)


class _Reader:
    """One topic, read on from where the last reading ended."""

    def __init__(self, topic: str, bootstrap: str) -> None:
        self.topic, self.bootstrap = topic, bootstrap
        self.found: list[Any] = []
        self.consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
        self.partitions: list[TopicPartition] = []

    async def start(self) -> None:
        await self.consumer.start()
        numbers = await partitions_of(self.bootstrap, self.topic)
        self.partitions = [TopicPartition(self.topic, number) for number in numbers]
        self.consumer.assign(self.partitions)
        await self.consumer.seek_to_beginning(*self.partitions)

    async def read(self) -> None:
        ends = await self.consumer.end_offsets(self.partitions)
        while any([await self.consumer.position(p) < ends[p] for p in self.partitions]):
            for records in (await self.consumer.getmany(timeout_ms=200)).values():
                self.found += records
