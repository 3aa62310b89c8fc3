"""Feeds on a real Kafka: what a reader of the market data topic may rely on."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import date
from itertools import islice, pairwise

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from ginkgo_streams import topics
from ginkgo_streams.domain.market.cn import cn
from ginkgo_streams.engine.provision import provision
from ginkgo_streams.feeds.position import read_position
from ginkgo_streams.feeds.publisher import CLOCK_MS, Publisher
from ginkgo_streams.feeds.simulation import SimulationSettings, Start, simulate
from ginkgo_streams.feeds.step import Step
from ginkgo_streams.local.kafka import Broker
from ginkgo_streams.local.ports import free_port
from ginkgo_streams.messages import ClockTick, MarketMessage, PriceUpdate, decode_market, encode, iso, ms
from ginkgo_streams.sessions import trading_calendar

PROFILE = cn(trading_calendar())
DAY = date(2026, 11, 25).toordinal()
CODES = {f"{number:06}.SZ": 5.0 + number for number in range(1, 31)}
SETTINGS = SimulationSettings(initial_prices=CODES, event_step_ms=60_000, ticks_per_second=0)


def run(test: Callable[[], Awaitable[None]], seconds: float = 120) -> None:
    async def within() -> None:
        async with asyncio.timeout(seconds):
            await test()

    asyncio.run(within())


async def market_topic(kafka: Broker) -> str:
    """A market data topic of the test's own."""
    (spec,) = [spec for spec in topics.all_topics() if spec.name == topics.MARKET_DATA]
    name = f"{topics.MARKET_DATA}.{uuid.uuid4()}"
    await provision(kafka.bootstrap, [type(spec)(name, spec.partitions, spec.config)])
    return name


async def records(kafka: Broker, topic: str) -> AsyncIterator[tuple[int, bytes, bytes]]:
    """(partition, key, value) of the whole topic, then of what comes."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(topics.MARKET_PARTITIONS)])
        await consumer.seek_to_beginning()
        async for record in consumer:
            yield record.partition, record.key, record.value
    finally:
        await consumer.stop()


async def whole(kafka: Broker, topic: str, last_ms: int) -> dict[int, list[MarketMessage]]:
    """The messages of each partition up to the clock of the last step."""
    result: dict[int, list[MarketMessage]] = {number: [] for number in range(topics.MARKET_PARTITIONS)}
    open_partitions = set(result)
    async for partition, key, value in records(kafka, topic):
        messages = decode_market(value)
        first = messages[0]
        assert key == (b"clock" if isinstance(first, ClockTick) else first.code.encode())
        result[partition] += messages
        if any(isinstance(message, ClockTick) and ms(message.timestamp) >= last_ms for message in messages):
            open_partitions.discard(partition)
            if not open_partitions:
                return result
    raise AssertionError("the topic has no end")


def ticks_of(messages: list[MarketMessage]) -> dict[str, list[PriceUpdate]]:
    result: dict[str, list[PriceUpdate]] = {}
    for message in messages:
        if isinstance(message, PriceUpdate):
            result.setdefault(message.code, []).append(message)
    return result


def expected(steps: list[Step]) -> dict[str, list[PriceUpdate]]:
    return ticks_of([update for step in steps for update in step.updates])


def test_s4_4_feed_when_published_then_each_code_in_order_on_kafkas_own_partition_and_clocks_behind_what_they_cover(kafka: Broker) -> None:
    async def test() -> None:
        topic = await market_topic(kafka)
        steps = list(islice(simulate(SETTINGS, Start(DAY), PROFILE), 250))  # a day and the morning of the next
        publisher = Publisher(kafka.bootstrap, topic=topic)
        await publisher.run(steps)
        found = await whole(kafka, topic, steps[-1].time_ms)
        assert {code: series for messages in found.values() for code, series in ticks_of(messages).items()} == expected(steps)
        for partition, messages in found.items():
            for code in ticks_of(messages):
                assert DefaultPartitioner()(code.encode(), list(range(topics.MARKET_PARTITIONS)), []) == partition
            clock = 0
            for message in messages:
                time = ms(message.timestamp)
                assert time > clock, "an update came behind the clock that covers it, or a clock went back"
                clock = time if isinstance(message, ClockTick) else clock
            clocks = [ms(message.timestamp) for message in messages if isinstance(message, ClockTick)]
            assert clocks == [step.time_ms for step in steps], f"steps of {SETTINGS.event_step_ms} ms need a clock each ({CLOCK_MS} ms)"
        assert publisher.ticks == sum(len(step.updates) for step in steps)
        assert publisher.clocks == len(steps) * topics.MARKET_PARTITIONS
        assert publisher.event_ms == steps[-1].time_ms

    run(test)


def test_feed_when_its_steps_are_shorter_than_a_second_then_one_clock_a_second_and_one_at_the_end(kafka: Broker) -> None:
    async def test() -> None:
        topic = await market_topic(kafka)
        update = {
            number: PriceUpdate(timestamp=iso(1_000_000 + number * 250), code="000001.SZ", price=10, seq=number) for number in range(10)
        }
        steps = [Step(1_000_000 + number * 250, [update[number]]) for number in range(10)]
        await Publisher(kafka.bootstrap, topic=topic).run(steps)
        found = await whole(kafka, topic, steps[-1].time_ms)
        clocks = {ms(message.timestamp) for messages in found.values() for message in messages if isinstance(message, ClockTick)}
        assert {1_000_000, 1_001_000, 1_002_000, steps[-1].time_ms} <= clocks

    run(test)


def test_position_when_the_topic_is_missing_or_empty_then_nothing(kafka: Broker) -> None:
    async def test() -> None:
        for topic in (f"missing-{uuid.uuid4()}", await market_topic(kafka)):
            position = await read_position(kafka.bootstrap, topic)
            assert (position.complete_ms, position.newest_ms, position.last) == (0, 0, {})

    run(test)


def test_restart_when_a_feed_was_published_then_the_next_goes_on_later_with_its_prices(kafka: Broker) -> None:
    async def test() -> None:
        topic = await market_topic(kafka)
        first = list(islice(simulate(SETTINGS, Start(DAY), PROFILE), 60))
        await Publisher(kafka.bootstrap, topic=topic).run(first)
        position = await read_position(kafka.bootstrap, topic)
        assert position.complete_ms == position.newest_ms == first[-1].time_ms
        assert position.last == {update.code: update for update in first[-1].updates}
        second = list(islice(simulate(SETTINGS, Start(DAY, position.newest_ms, position.last), PROFILE), 200))
        await Publisher(kafka.bootstrap, topic=topic).run(second)
        found = await whole(kafka, topic, second[-1].time_ms)
        assert {code: series for messages in found.values() for code, series in ticks_of(messages).items()} == expected(first + second)
        for messages in found.values():
            for series in ticks_of(messages).values():
                assert all(ms(one.timestamp) < ms(other.timestamp) and (one.seq or 0) < (other.seq or 0) for one, other in pairwise(series))

    run(test)


def test_position_when_a_step_reached_only_some_partitions_then_it_is_newest_and_not_complete(kafka: Broker) -> None:
    async def test() -> None:
        topic = await market_topic(kafka)
        steps = list(islice(simulate(SETTINGS, Start(DAY), PROFILE), 20))
        await Publisher(kafka.bootstrap, topic=topic).run(steps)
        late = PriceUpdate(timestamp=iso(steps[-1].time_ms + 60_000), code="000001.SZ", price=6.01)
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
            await producer.send_and_wait(topic, b'{"event_type":"price_update"', b"000002.SZ")  # what no reader understands
            await producer.send_and_wait(topic, encode(late), b"000001.SZ")  # one object, by any other producer
        position = await read_position(kafka.bootstrap, topic)
        assert (position.complete_ms, position.newest_ms) == (steps[-1].time_ms, steps[-1].time_ms + 60_000)
        assert position.last["000001.SZ"].price == 6.01

    run(test)


def test_feed_when_it_waits_then_its_clock_is_said_again_and_stop_ends_it_with_all_acknowledged(kafka: Broker) -> None:
    async def test() -> None:
        topic = await market_topic(kafka)
        steps = [*islice(simulate(SETTINGS, Start(DAY), PROFILE), 3), Step(10**13, (), wait_s=3_600)]
        publisher = Publisher(kafka.bootstrap, topic=topic)
        running = asyncio.create_task(publisher.run(steps))
        seen = 0
        async for partition, _, value in records(kafka, topic):
            (message, *_) = decode_market(value)
            seen += partition == 0 and isinstance(message, ClockTick) and ms(message.timestamp) == steps[2].time_ms
            if seen == 3:
                break
        assert await publisher.stop() == 0
        assert running.done()
        await running
        assert publisher.ticks == 2 * len(CODES)

    run(test)


def test_feed_when_the_broker_restarts_in_the_middle_then_nothing_is_missing_and_order_is_kept(fresh_kafka: Broker) -> None:
    async def test() -> None:
        topic = await market_topic(fresh_kafka)
        steps = list(islice(simulate(SETTINGS, Start(DAY), PROFILE), 200))
        reached = asyncio.Event()
        go_on = asyncio.Event()

        def feed() -> Iterator[Step]:
            for number, step in enumerate(steps):
                if number == 50:
                    reached.set()
                yield step._replace(wait_s=0 if go_on.is_set() or number < 50 else 0.05)

        publisher = Publisher(fresh_kafka.bootstrap, topic=topic, max_in_flight=20)
        running = asyncio.create_task(publisher.run(feed()))
        await reached.wait()
        await asyncio.to_thread(fresh_kafka.restart)
        go_on.set()
        await running
        found = await whole(fresh_kafka, topic, steps[-1].time_ms)
        for code, wanted in expected(steps).items():
            (series,) = [ticks_of(messages)[code] for messages in found.values() if code in ticks_of(messages)]
            admitted = [series[0]]
            for update in series[1:]:  # as readers do: what is not newer than the last of its code is dropped
                if ms(update.timestamp) > ms(admitted[-1].timestamp):
                    admitted.append(update)
            assert admitted == wanted

    run(test)


def test_feed_when_kafka_is_unreachable_then_it_says_so_and_stop_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        address = f"127.0.0.1:{free_port()}"
        publisher = Publisher(address)
        running = asyncio.create_task(publisher.run(islice(simulate(SETTINGS, Start(DAY), PROFILE), 5)))
        said = f"Failed to connect to Kafka: No brokers available ({address})"
        while not any(said in record.getMessage() for record in caplog.records):
            await asyncio.sleep(0.01)
        assert not running.done()
        assert await publisher.stop() == 0
        await running
        assert publisher.ticks == 0

    run(test, 60)
