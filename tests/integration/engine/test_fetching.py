"""Fetch sessions on a real broker: requests name what has changed alone, and nothing is lost whatever becomes of a session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest

from ginkgo_streams.engine import fetching
from ginkgo_streams.engine.fetching import FetchSessions, _Incremental
from ginkgo_streams.engine.provision import provision
from ginkgo_streams.engine.topics import kept
from ginkgo_streams.local.kafka import Broker

PARTITIONS = 20
TIMEOUT_S = 30


class Reader:
    """A consumer of all partitions of a topic of its own, with sessions; what it asked for, and what it has read."""

    def __init__(self, bootstrap: str, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer) -> None:
        self.topic = f"fetched-{uuid4()}"
        self.places = [TopicPartition(self.topic, partition) for partition in range(PARTITIONS)]
        self.asked: list[tuple[int, set[int], set[int]]] = []
        """(session epoch, partitions named, partitions forgotten) of each fetch."""
        self.read: list[tuple[int, int]] = []
        self.producer, self.consumer = producer, consumer
        self.send = consumer._client.send
        self.sessions = FetchSessions(
            self._asked, lambda: consumer._subscription.subscription and consumer._subscription.subscription.assignment
        )
        consumer._client.send = self.sessions.send

    async def _asked(self, node: int, request: Any, **options: Any) -> Any:
        if isinstance(request, _Incremental):
            self.asked.append((request._epoch, {p for _, p, _, _ in request._changed}, {p for _, p in request._forgotten}))
        return await self.send(node, request, **options)

    async def write(self, *partitions: int) -> None:
        """A record to each partition."""
        for partition in partitions:
            await self.producer.send_and_wait(self.topic, b"x", partition=partition)

    async def until(self, met: Callable[[], object]) -> None:
        """Read until it is so."""
        async with asyncio.timeout(TIMEOUT_S):
            while not met():
                for place, records in (await self.consumer.getmany(timeout_ms=10)).items():
                    self.read += [(place.partition, record.offset) for record in records]


@asynccontextmanager
async def reader(bootstrap: str) -> AsyncIterator[Reader]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=20)
    made = Reader(bootstrap, producer, consumer)
    await provision(bootstrap, [kept(made.topic, PARTITIONS, 1)], TIMEOUT_S)
    await producer.start()
    await consumer.start()
    try:
        consumer.assign(made.places)
        yield made
    finally:
        await consumer.stop()
        await producer.stop()


def with_reader(bootstrap: str, test: Callable[[Reader], Awaitable[None]]) -> None:
    """Run a test in a loop of its own."""

    async def run() -> None:
        async with reader(bootstrap) as made:
            await test(made)

    asyncio.run(run())


def test_fetch_after_the_first_names_only_partitions_that_were_read_from(kafka: Broker) -> None:
    async def test(made: Reader) -> None:
        await made.write(*range(PARTITIONS))
        await made.until(lambda: len(made.read) == PARTITIONS)
        await made.until(lambda: made.asked[-1][1] == set())
        assert made.asked[0][:2] == (0, set(range(PARTITIONS)))
        before = len(made.asked)
        await made.write(3)
        await made.until(lambda: (3, 1) in made.read)
        await made.until(lambda: made.asked[-1][1] == set() and len(made.asked) > before + 1)
        assert {partition for _, named, _ in made.asked[before:] for partition in named} == {3}
        assert all(epoch > 0 for epoch, _, _ in made.asked[1:])
        assert sorted(made.read) == sorted([(partition, 0) for partition in range(PARTITIONS)] + [(3, 1)])

    with_reader(kafka.bootstrap, test)


def test_partition_that_is_paused_then_is_forgotten_and_read_from_where_it_was_when_resumed(kafka: Broker) -> None:
    async def test(made: Reader) -> None:
        await made.write(0, 1)
        await made.until(lambda: len(made.read) == 2)
        made.consumer.pause(made.places[0])
        await made.until(lambda: any(0 in forgotten for _, _, forgotten in made.asked))
        await made.write(0, 1)
        await made.until(lambda: (1, 1) in made.read)
        assert (0, 1) not in made.read
        made.consumer.resume(made.places[0])
        await made.until(lambda: (0, 1) in made.read)

    with_reader(kafka.bootstrap, test)


def test_partition_that_is_sought_back_then_is_read_again(kafka: Broker) -> None:
    async def test(made: Reader) -> None:
        await made.write(0, 0, 0)
        await made.until(lambda: len(made.read) == 3)
        made.consumer.seek(made.places[0], 1)
        await made.until(lambda: len(made.read) == 5)
        assert [offset for _, offset in made.read] == [0, 1, 2, 1, 2]

    with_reader(kafka.bootstrap, test)


def test_assignment_when_it_is_another_then_ends_of_partitions_without_news_are_known(kafka: Broker) -> None:
    async def test(made: Reader) -> None:
        await made.write(*range(PARTITIONS))
        await made.until(lambda: len(made.read) == PARTITIONS)
        made.consumer.assign(made.places[:5])
        for place in made.places[:5]:
            made.consumer.seek(place, 1)  # at the end: no answer will bring a record
        await made.until(lambda: [made.consumer.highwater(place) for place in made.places[:5]] == [1] * 5)
        assert all(made.consumer.last_poll_timestamp(place) for place in made.places[:5])

    with_reader(kafka.bootstrap, test)


def test_partitions_without_news_are_noted_as_asked_for(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SEEN_S", 0.0)

    async def test(made: Reader) -> None:
        await made.write(0)
        await made.until(lambda: made.read and made.asked[-1][1] == set())
        before = {place: made.consumer.last_poll_timestamp(place) for place in made.places}
        await made.until(lambda: all(made.consumer.last_poll_timestamp(place) > before[place] for place in made.places))

    with_reader(kafka.bootstrap, test)


def test_end_of_a_partition_when_it_is_sought_while_asked_then_is_known_all_the_same(kafka: Broker) -> None:
    async def test(made: Reader) -> None:
        await made.write(0)
        await made.until(lambda: made.read)
        inner, held = made.sessions._send, asyncio.Event()

        async def late(node: int, request: Any, **options: Any) -> Any:
            response = await inner(node, request, **options)
            if getattr(response, "topics", None) and isinstance(request, _Incremental):
                await held.wait()
            return response

        made.sessions._send = late
        await made.write(0)
        await made.until(lambda: made.asked)
        made.consumer.seek(made.places[0], 2)  # behind the record that is on its way, which is dropped
        held.set()
        await made.until(lambda: made.consumer.highwater(made.places[0]) == 2)
        assert made.read == [(0, 0)]

    with_reader(kafka.bootstrap, test)


def test_session_that_the_broker_does_not_know_then_begins_anew_at_once(kafka: Broker) -> None:
    async def test(made: Reader) -> None:
        await made.write(0)
        await made.until(lambda: made.read)
        failures: list[Exception] = []

        async def noted(node: int, request: Any, **options: Any) -> Any:
            try:
                return await made.sessions.send(node, request, **options)
            except Exception as error:
                failures.append(error)
                raise

        made.consumer._client.send = noted
        next(iter(made.sessions._sessions.values())).number += 1
        before = len(made.asked)
        await made.write(0)
        await made.until(lambda: len(made.read) == 2)
        assert any(epoch == 0 and len(named) == PARTITIONS for epoch, named, _ in made.asked[before:])
        assert not failures  # the fetcher never heard of it: after an error it would leave the broker alone for a while

    with_reader(kafka.bootstrap, test)


def test_broker_restarted_then_everything_is_read_once(fresh_kafka: Broker) -> None:
    async def test(made: Reader) -> None:
        await made.write(*range(PARTITIONS))
        await made.until(lambda: len(made.read) == PARTITIONS)
        fresh_kafka.kill()
        fresh_kafka.start()
        await made.write(*range(PARTITIONS))
        await made.until(lambda: len(made.read) == 2 * PARTITIONS)
        assert sorted(made.read) == [(partition, offset) for partition in range(PARTITIONS) for offset in (0, 1)]

    with_reader(fresh_kafka.bootstrap, test)


def test_fetch_that_is_refused_whole_then_raises_what_the_broker_said() -> None:
    class Refused:
        error_code = 71

    async def refuse(node: int, request: Any, **options: Any) -> Any:
        return Refused()

    sessions = FetchSessions(refuse, lambda: None)
    with pytest.raises(KafkaError):
        asyncio.run(sessions.send(0, FetchRequest(20, 1, 1, 0, [("t", [(0, 0, 1)])])))
