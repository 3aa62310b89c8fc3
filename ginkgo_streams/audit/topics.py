"""Reading the audited topics whole, up to where they end now; and on from there, when they are read again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from ginkgo_streams.audit.check import AuditInput
from ginkgo_streams.audit.records import Raw, Unreadable, portfolio
from ginkgo_streams.topics import FEEDBACK, SNAPSHOTS, SUBMISSION

TOPICS = (SUBMISSION, FEEDBACK, SNAPSHOTS)

STALL_S = 30.0
"""How long a read may go without one record before it is given up."""

CLOSE_S = 5.0
"""How long the closing of a consumer may take."""

Progress = Callable[[int, int], None]
"""(records read, records to read) of this reading."""


class CannotRead(Exception):
    """The topics cannot be read: the text says why, where, and what to do."""


class _Record(Protocol):
    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class TopicReader:
    """Reads what has been added since the last time. Of the snapshots only the newest of each portfolio is kept."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap = bootstrap_servers
        self._next: dict[TopicPartition, int] = {}
        self._submissions: list[Raw] = []
        self._feedback: list[Raw] = []
        self._unreadable: list[bytes | None] = []
        self._deleted: dict[str, int] = {}
        self._newest: dict[str, tuple[tuple[int, int], bytes | None]] = {}

    async def read(self, progress: Progress | None = None) -> AuditInput:
        """The topics up to their ends as they are now. Snapshots are read last, so that they are no older than the fills.
        Raises CannotRead."""
        try:
            partitions = await self._partitions()
            moves = [p for p in partitions if p.topic != SNAPSHOTS]
            await self._read(moves, progress)
            await self._read([p for p in partitions if p.topic == SNAPSHOTS], progress)
        except KafkaConnectionError as error:
            raise CannotRead(
                f"Failed to connect to Kafka: No brokers available ({self._bootstrap}); start Kafka there, "
                "or name another address with --kafka-bootstrap-servers"
            ) from error
        except KafkaError as error:
            raise CannotRead(f"Kafka at {self._bootstrap} does not give the topics: {error}") from error
        return AuditInput(
            self._submissions,
            self._feedback,
            [*self._unreadable, *(value for _, value in self._newest.values())],
            list(self._deleted.items()),
        )

    async def _partitions(self) -> list[TopicPartition]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            await admin.start()
            described = await admin.describe_topics(list(TOPICS))
        finally:
            await admin.close()
        found = {topic["topic"]: sorted(partition["partition"] for partition in topic["partitions"]) for topic in described}
        if missing := [topic for topic in TOPICS if not found.get(topic)]:
            raise CannotRead(
                f"Kafka at {self._bootstrap} has no topic {', '.join(missing)}: is it the right cluster? A worker or livecore makes them"
            )
        return [TopicPartition(topic, number) for topic in TOPICS for number in found[topic]]

    async def _read(self, partitions: list[TopicPartition], progress: Progress | None) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, enable_auto_commit=False, auto_offset_reset="none", fetch_max_wait_ms=50
        )
        try:
            await consumer.start()
            begins = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
            for partition in partitions:
                self._next[partition] = max(begins[partition], self._next.get(partition, 0))
                if begins[partition] and partition.topic != SNAPSHOTS:
                    self._deleted[f"{partition.topic}, partition {partition.partition}"] = begins[partition]
            behind = [p for p in partitions if self._next[p] < ends[p]]
            if not behind:
                return  # and assign nothing: aiokafka's stop() hangs when it comes right after an assign()
            total = sum(ends[p] - self._next[p] for p in behind)
            consumer.assign(behind)
            for partition in behind:
                consumer.seek(partition, self._next[partition])
            done = 0
            while behind := [p for p in behind if self._next[p] < ends[p]]:
                done += await self._read_some(consumer, behind)
                if progress is not None:
                    progress(done, max(done, total))
        finally:
            await _stop(consumer)

    async def _read_some(self, consumer: AIOKafkaConsumer, behind: list[TopicPartition]) -> int:
        try:
            async with asyncio.timeout(STALL_S):
                while True:
                    batches = await consumer.getmany(*behind, timeout_ms=500)
                    before = dict(self._next)
                    for records in batches.values():
                        for record in records:
                            self._keep(record)
                    for partition in behind:
                        self._next[partition] = await consumer.position(partition)
                    if self._next != before:
                        return sum(map(len, batches.values()))
        except TimeoutError:
            places = ", ".join(f"{p.topic}/{p.partition}" for p in behind)
            raise CannotRead(f"Kafka at {self._bootstrap} has given nothing of {places} for {STALL_S:.0f} s") from None

    def _keep(self, record: _Record) -> None:
        if record.topic == SNAPSHOTS:
            self._keep_newest(record.value)
        else:
            into = self._submissions if record.topic == SUBMISSION else self._feedback
            into.append(Raw(record.partition, record.offset, record.value))

    def _keep_newest(self, value: bytes | None) -> None:
        try:
            account = portfolio(value)
        except Unreadable:
            self._unreadable.append(value)
            return
        place = (account.epoch, account.seq)
        if account.portfolio_id not in self._newest or place > self._newest[account.portfolio_id][0]:
            self._newest[account.portfolio_id] = (place, value)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, within CLOSE_S: a second cancellation ends a stop() of aiokafka's that hangs, and nothing is lost by it."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(consumer.stop(), CLOSE_S)


async def read_topics(bootstrap_servers: str, progress: Progress | None = None) -> AuditInput:
    """The audited topics, whole. Raises CannotRead."""
    return await TopicReader(bootstrap_servers).read(progress)
