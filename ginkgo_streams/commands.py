"""Control commands to Kafka. A command counts as sent when every in-sync broker has it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Literal, TypeVar
from uuid import UUID, uuid4, uuid5

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ginkgo_streams.config import Settings
from ginkgo_streams.engine.provision import NoBrokers, connect, provision
from ginkgo_streams.group_members import group_members
from ginkgo_streams.messages import ControlCommand, encode, iso
from ginkgo_streams.topics import CONTROL, LIVECORE_APP, NODE_APP, all_topics

T = TypeVar("T")

CommandType = Literal["portfolio.create", "portfolio.start", "portfolio.stop", "portfolio.reload", "portfolio.delete", "order.cancel"]

SEND_SECONDS = 30.0
"""How long a connected broker may take to acknowledge."""


class SendFailed(Exception):
    """Kafka answered and did not take the command: the text says which, and why."""


def portfolio_command(
    command_type: CommandType, portfolio_id: str, params: Mapping[str, Any] | None = None, *, once: bool = False, issued_by: str = "ginkgo"
) -> ControlCommand:
    """A command for a portfolio, of now.

    once: the command id follows from portfolio and type, so that however often it is sent it has the effect of once (creating,
    the first start). Else each is a new wish.
    """
    command_id = uuid5(UUID(portfolio_id), command_type) if once else uuid4()
    return ControlCommand(
        command_id=str(command_id), command_type=command_type, target_id=portfolio_id, params=dict(params or {}),
        timestamp=iso(time.time_ns() // 1_000_000), issued_by=issued_by,
    )  # fmt: skip


async def reach(settings: Settings) -> None:
    """Returns when a broker answers and the topic of the commands is there, made where it was missing.

    Tries for kafka.connect_timeout seconds. Raises NoBrokers, TopicMismatch.
    """
    kafka = settings.kafka
    specs = [spec for spec in all_topics(kafka.slots, kafka.market_data_partitions, kafka.replicas) if spec.name == CONTROL]
    await provision(settings.kafka.bootstrap, specs, settings.kafka.connect_timeout)


async def send_commands(settings: Settings, commands: Sequence[ControlCommand]) -> None:
    """Sends them in order and returns when all are acknowledged.

    Raises NoBrokers and TopicMismatch, after which none was sent, and SendFailed, after which some may have been.
    """
    await reach(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, acks="all", enable_idempotence=True)
    try:
        await producer.start()
    except (KafkaError, OSError) as error:
        await producer.stop()
        raise NoBrokers(f"Failed to connect to Kafka: No brokers available ({settings.kafka.bootstrap}): {error}") from error
    try:
        async with asyncio.timeout(SEND_SECONDS):
            for command in commands:
                await producer.send_and_wait(CONTROL, encode(command), key=command.target_id.encode())
    except (KafkaError, OSError, TimeoutError) as error:
        kinds = ", ".join(command.command_type for command in commands)
        reason = str(error) or type(error).__name__
        raise SendFailed(
            f"Kafka at {settings.kafka.bootstrap} did not acknowledge {kinds}: {reason}; it may take effect all the same"
        ) from error
    finally:
        await producer.stop()


def send_commands_now(settings: Settings, commands: Sequence[ControlCommand]) -> None:
    """`send_commands` for callers without an event loop."""
    run(send_commands(settings, commands))


async def members(settings: Settings) -> dict[str, int]:
    """How many processes are in each group: execution nodes and livecores, by the group's name. Raises NoBrokers."""
    admin = await connect(settings.kafka.bootstrap, settings.kafka.connect_timeout)
    try:
        return await group_members(admin, [NODE_APP, LIVECORE_APP])
    except KafkaError as error:
        raise NoBrokers(f"Kafka at {settings.kafka.bootstrap} does not say who is running: {error!r}") from error
    finally:
        await admin.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end, for callers without an event loop."""
    return asyncio.run(work)
