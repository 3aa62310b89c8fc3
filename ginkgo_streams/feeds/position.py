"""How far the market data topic has come: what a feed has to know at its start, so that event time never goes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from ginkgo_streams import topics
from ginkgo_streams.messages import BadMessage, ClockTick, PriceUpdate, decode_market, ms

TAIL = 256
"""Records read from the end of each partition: enough for the last clock and the last update of every code, since a
feed says all codes of a partition in each step."""

STALL_S = 30.0
"""How long the end of the topic may take to arrive."""


@dataclass(slots=True)
class Position:
    """complete_ms: event time up to which every partition has everything (0: none). newest_ms: the newest event time of any
    record (0: none). last: the last update of each code."""

    complete_ms: int = 0
    newest_ms: int = 0
    last: dict[str, PriceUpdate] = field(default_factory=dict)


async def read_position(bootstrap_servers: str, topic: str = topics.MARKET_DATA) -> Position:
    """Read the end of the topic. Raises KafkaError, and TimeoutError when it does not arrive within STALL_S."""
    numbers = await partitions_of(bootstrap_servers, topic)
    if not numbers:
        return Position()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await consumer.start()
        async with asyncio.timeout(STALL_S):
            return await _read(consumer, [TopicPartition(topic, number) for number in numbers])
    finally:
        await consumer.stop()


async def partitions_of(bootstrap_servers: str, topic: str) -> list[int]:
    """The partitions of a topic, empty where it does not exist. Raises KafkaError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await admin.start()
        (described,) = await admin.describe_topics([topic])
        return sorted(partition["partition"] for partition in described["partitions"])
    finally:
        await admin.close()


async def _read(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> Position:
    ends = await consumer.end_offsets(partitions)
    begins = await consumer.beginning_offsets(partitions)
    position = Position()
    filled = [p for p in partitions if ends[p] > begins[p]]
    if not filled:
        return position  # and assign nothing: aiokafka's stop() hangs when it comes right after an assign()
    # a partition that was emptied by retention is complete; one that never had a record is not
    clocks = dict.fromkeys((p for p in partitions if p in filled or not ends[p]), 0)
    consumer.assign(filled)
    for partition in filled:
        consumer.seek(partition, max(begins[partition], ends[partition] - TAIL))
    while any([await consumer.position(p) < ends[p] for p in filled]):
        for partition, records in (await consumer.getmany(timeout_ms=200)).items():
            clock = _take(position, (record.value for record in records))
            if clock:
                clocks[partition] = clock
    position.complete_ms = min(clocks.values(), default=0)
    return position


def _take(position: Position, values: Iterable[bytes | None]) -> int:
    """Move the position by records of one partition, in order; returns their last clock (0: none)."""
    clock = 0
    for value in values:
        try:
            messages = [(ms(message.timestamp), message) for message in decode_market(value)]
        except BadMessage:
            continue  # no feed of ours wrote it, and the router puts it on the dead-letter topic
        for time_ms, message in messages:
            position.newest_ms = max(position.newest_ms, time_ms)
            if isinstance(message, ClockTick):
                clock = max(clock, time_ms)
            elif message.code not in position.last or ms(position.last[message.code].timestamp) <= time_ms:
                position.last[message.code] = message
    return clock
