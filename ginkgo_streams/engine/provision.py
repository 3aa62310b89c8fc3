"""Creates the topics that are missing and checks those that exist, before a worker starts.

A topic that is missing when a Faust worker starts is polled in a busy loop and the worker never gets ready; one
with another partition count breaks the co-partitioning that everything rests on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from ginkgo_streams.engine.topics import TopicSpec

log = logging.getLogger("ginkgo.engine")

RETRY_S = 0.5
WANTED_REPLICAS = 3


class NoBrokers(Exception):
    """No broker answered within the time-out."""


class TopicMismatch(Exception):
    """Topics exist with other settings than they have to have."""


async def connect(bootstrap: str, timeout_s: float) -> AIOKafkaAdminClient:
    """An admin client, tried again until the time-out. Raises NoBrokers. The caller closes it."""
    deadline = time.monotonic() + timeout_s
    warned = False
    while True:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=10_000)
        try:
            await admin.start()
            return admin
        except (KafkaError, OSError) as error:
            await admin.close()
            if time.monotonic() > deadline:
                raise NoBrokers(f"Failed to connect to Kafka: No brokers available at {bootstrap} for {timeout_s:g} s") from error
            if not warned:
                log.warning("Failed to connect to Kafka: No brokers available at %s; trying again for %g s", bootstrap, timeout_s)
                warned = True
            await asyncio.sleep(RETRY_S)


async def provision(bootstrap: str, specs: Sequence[TopicSpec], timeout_s: float = 60.0) -> None:
    """Create what is missing, check what is there. Raises NoBrokers, TopicMismatch (which names all differences)."""
    admin = await connect(bootstrap, timeout_s)
    try:
        brokers = len((await admin.describe_cluster())["brokers"])
        existing = set(await admin.list_topics())
        missing = [spec for spec in specs if spec.name not in existing]
        if missing:
            await _create(admin, missing, brokers)
        await _check(admin, specs, timeout_s)
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], brokers: int) -> None:
    def replicas(spec: TopicSpec) -> int:
        if spec.replicas > brokers:
            raise TopicMismatch(f"topic {spec.name}: {spec.replicas} replicas are asked for, and the cluster has {brokers} brokers")
        return spec.replicas or min(WANTED_REPLICAS, brokers)

    response = await admin.create_topics(
        [NewTopic(spec.name, spec.partitions, replicas(spec), topic_configs=dict(spec.config)) for spec in specs]
    )
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicMismatch(f"cannot create topic {name}: {error.__name__} {' '.join(str(m) for m in message if m)}")
    log.info("Created %d topics", len(specs))


async def _check(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], timeout_s: float) -> None:
    wanted = {spec.name: spec for spec in specs}
    deadline = time.monotonic() + timeout_s
    while True:
        found = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(list(wanted)) if not t["error_code"]}
        if len(found) == len(wanted) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)  # a topic just created is not yet in every broker's metadata
    problems = [f"topic {name}: expected to exist, found nothing" for name in wanted if name not in found]
    problems += [
        f"topic {name}: expected {wanted[name].partitions} partitions, found {count}"
        for name, count in found.items()
        if count != wanted[name].partitions
    ]
    configs = await _configs(admin, list(found))
    for name, spec in wanted.items():
        for key, value in spec.config.items():
            actual = configs.get(name, {}).get(key)
            if name in found and actual != value:
                problems.append(f"topic {name}: expected {key}={value}, found {actual}")
    if problems:
        raise TopicMismatch("; ".join(problems) + ". Change the topic, or delete it and start again")


async def _configs(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for response in responses for resource in response.resources}
