"""What is needed to see and change the placement from outside: the group's coordinator, the two tables, and a producer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ginkgo_streams import messages as m
from ginkgo_streams.apps.cluster import Cluster
from ginkgo_streams.commands import SEND_SECONDS, SendFailed
from ginkgo_streams.config import Settings
from ginkgo_streams.engine.provision import NoBrokers, connect, provision
from ginkgo_streams.group_members import Group, describe_group
from ginkgo_streams.topics import INTEREST, NODE_APP, SCHEDULE, all_topics


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection; it lives in one event loop."""

    settings: Settings
    admin: AIOKafkaAdminClient
    tables: Cluster
    producer: AIOKafkaProducer

    async def group(self) -> Group:
        """The nodes' consumer group now. Raises NoBrokers."""
        try:
            return await describe_group(self.admin, NODE_APP)
        except (KafkaError, OSError) as error:
            raise NoBrokers(f"Kafka at {self.settings.kafka.bootstrap} does not say who is running: {error!r}") from error

    async def decide(self, *updates: m.ScheduleUpdate) -> None:
        """Publish decisions; returns when the brokers have them and they are read here. Raises SendFailed."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                for update in updates:
                    await self.producer.send_and_wait(SCHEDULE, m.encode(update), key=m.schedule_key(update), partition=0)
                await self.tables.read(*updates)
        except (KafkaError, OSError, TimeoutError) as error:
            what = ", ".join(f"{update.kind} of {update.subject}" for update in updates)
            reason = str(error) or type(error).__name__
            raise SendFailed(
                f"Kafka at {self.settings.kafka.bootstrap} did not acknowledge {what}: {reason}; it may take effect all the same"
            ) from error


@contextlib.asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Connection]:
    """Open a connection, its tables read whole. Tries for kafka.connect_timeout seconds. Raises NoBrokers, TopicMismatch."""
    kafka = settings.kafka
    specs = all_topics(kafka.slots, kafka.market_data_partitions, kafka.replicas)
    await provision(kafka.bootstrap, [spec for spec in specs if spec.name in (SCHEDULE, INTEREST)], kafka.connect_timeout)
    admin = await connect(kafka.bootstrap, kafka.connect_timeout)
    tables = Cluster(kafka.bootstrap, NODE_APP, kafka.slots)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True)
    try:
        try:
            async with asyncio.timeout(kafka.connect_timeout):
                await tables.start()
                await producer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            raise NoBrokers(f"Failed to connect to Kafka: No brokers available at {kafka.bootstrap}: {error!r}") from error
        yield Connection(settings, admin, tables, producer)
    finally:
        await producer.stop()
        await tables.stop()
        await admin.close()
