"""Topics are created as declared, and a topic that exists otherwise is an error that says all differences."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from ginkgo_streams.engine.provision import NoBrokers, TopicMismatch, provision
from ginkgo_streams.engine.topics import TopicSpec, compacted, kept
from ginkgo_streams.local.kafka import Broker
from ginkgo_streams.local.ports import free_port


def test_provision_creates_what_is_missing_and_accepts_it_again(kafka: Broker) -> None:
    name = f"made-{uuid4()}"
    specs = [kept(f"{name}-a", 3, 1), compacted(f"{name}-b", 2)]
    asyncio.run(provision(kafka.bootstrap, specs, 30))
    asyncio.run(provision(kafka.bootstrap, specs, 30))


def test_provision_other_settings_are_named_with_what_was_expected_and_found(kafka: Broker) -> None:
    name = f"made-{uuid4()}"
    asyncio.run(provision(kafka.bootstrap, [kept(name, 3, 1)], 30))
    with pytest.raises(TopicMismatch) as refused:
        asyncio.run(provision(kafka.bootstrap, [compacted(name, 4)], 30))
    text = str(refused.value)
    assert f"topic {name}: expected 4 partitions, found 3" in text
    assert f"topic {name}: expected cleanup.policy=compact, found delete" in text


def test_provision_more_replicas_than_brokers_is_refused(kafka: Broker) -> None:
    with pytest.raises(TopicMismatch, match="3 replicas are asked for, and the cluster has 1 brokers"):
        asyncio.run(provision(kafka.bootstrap, [TopicSpec(f"made-{uuid4()}", 1, {}, replicas=3)], 30))


def test_provision_without_a_broker_names_the_address_after_the_time_out() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(NoBrokers, match=f"Failed to connect to Kafka: No brokers available at {address}"):
        asyncio.run(provision(address, [], 0.5))
