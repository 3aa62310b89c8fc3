"""What a person asks of a running portfolio, for bench.failover: to move to another node, and to take another config."""

from __future__ import annotations

import asyncio
import copy
import time
import uuid

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench import population
from bench.latency import EVENT_START
from bench.pair import Pair
from ginkgo_streams import messages as m
from ginkgo_streams.config import Settings
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.schedule.change import Migration
from ginkgo_streams.schedule.change import migrate as ask_to_migrate
from ginkgo_streams.schedule.connection import connected
from ginkgo_streams.topics import CONTROL, SLOTS, SNAPSHOTS

TIMEOUT_S = 30.0


def migrate(pair: Pair) -> dict[str, float]:
    """A watched portfolio of the older node moves to the other, as `ginkgo schedule migrate` does it. seconds, all since the decision:
    until it is seen running there; until its first order from there; and the longest pauses of those that stayed where they were."""
    source, target = pair.nodes
    moving = pair.on(source)[0]
    others = set(pair.watched) - {moving}
    settings = Settings.model_validate({"kafka": {"bootstrap_servers": [pair.bootstrap]}})

    async def ask() -> tuple[Migration, float]:
        async with connected(settings) as connection:
            return await ask_to_migrate(connection, moving, target.name, wait_s=TIMEOUT_S), time.monotonic()

    asked = time.monotonic()
    moved, seen = asyncio.run(ask())
    began = seen - moved.seconds  # the decision; what is in front of it is the connection
    ordered = pair.traffic.answered([moving], asked, [target.name])[moving]
    pair.traffic.answered(others, ordered, [source.name, target.name])
    pause = pair.traffic.longest_pause
    return {"total": ordered - began, "seen": moved.seconds, "stayed": pause(others, asked, time.monotonic())}


def reload(pair: Pair) -> dict[str, float]:
    """A watched portfolio takes another config. seconds: until the snapshot of the new version is read; its longest pause meanwhile."""
    key = pair.watched[0]
    began = time.monotonic()
    seen = asyncio.run(_reloaded(pair.bootstrap, key))
    pair.traffic.answered([key], time.monotonic(), [each.name for each in pair.nodes])
    return {"total": seen, "pause": pair.traffic.longest_pause([key], began, time.monotonic())}


async def _reloaded(bootstrap: str, key: str) -> float:
    """From the command, given to the producer, to the snapshot that has its version; seconds."""
    slot = partition_of(key, SLOTS)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=20)
    await producer.start()
    await consumer.start()
    try:
        consumer.assign([TopicPartition(SNAPSHOTS, slot)])
        await consumer.seek_to_end()
        async with asyncio.timeout(TIMEOUT_S):
            before = await _snapshot(consumer, key, 0)
            config = copy.deepcopy(population.ORDERING)
            config["sizer"]["params"]["volume"] = 100 + 100 * (before.version % 2)
            command = m.ControlCommand(
                command_id=str(uuid.uuid4()), command_type="portfolio.reload", target_id=key, timestamp=EVENT_START,
                params={"version": before.version + 1, "config": config, "reason": "bench"},
            )  # fmt: skip
            sent = time.monotonic()
            await producer.send(CONTROL, m.encode(command), key.encode(), slot)
            await _snapshot(consumer, key, before.version + 1)
            return time.monotonic() - sent
    finally:
        await producer.stop()
        await consumer.stop()


async def _snapshot(consumer: AIOKafkaConsumer, key: str, version: int) -> m.Snapshot:
    """The next snapshot of a portfolio that is running with at least this version."""
    async for record in consumer:
        snapshot = m.decode(record.value, m.Snapshot)
        if snapshot.portfolio_id == key and snapshot.version >= version and snapshot.status == "running":
            assert isinstance(snapshot, m.Snapshot)
            return snapshot
    raise RuntimeError("the consumer of snapshots ended")
