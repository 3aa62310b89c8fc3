"""The local broker: it starts, keeps its data over restarts of every kind, and says in one line what is wrong."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient

from ginkgo_streams.local import ports
from ginkgo_streams.local.errors import AlreadyRunning, PortTaken
from ginkgo_streams.local.kafka import Broker, Listener, answers_metadata
from ginkgo_streams.local.process import wait_for


def create(bootstrap: str, topic: str) -> None:
    async def run() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, 1, 1)])
        finally:
            await admin.close()

    asyncio.run(run())


def produce(bootstrap: str, topic: str, value: bytes) -> None:
    async def run() -> None:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
            await producer.send_and_wait(topic, value, partition=0)

    asyncio.run(run())


def values(bootstrap: str, topic: str, count: int) -> list[bytes]:
    async def run() -> list[bytes]:
        async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            return [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(count)]

    return asyncio.run(run())


def test_broker_when_stopped_killed_and_started_again_then_keeps_port_and_data(fresh_kafka: Broker) -> None:
    port, first = fresh_kafka.port, fresh_kafka.pid
    create(fresh_kafka.bootstrap, "kept")
    produce(fresh_kafka.bootstrap, "kept", b"1")
    fresh_kafka.restart()
    produce(fresh_kafka.bootstrap, "kept", b"2")
    fresh_kafka.kill()
    assert not fresh_kafka.running
    assert not answers_metadata(fresh_kafka.bootstrap)
    fresh_kafka.start()
    produce(fresh_kafka.bootstrap, "kept", b"3")
    assert values(fresh_kafka.bootstrap, "kept", 3) == [b"1", b"2", b"3"]
    assert fresh_kafka.port == port
    assert fresh_kafka.pid != first


def test_broker_when_started_twice_then_refuses_and_goes_on(kafka: Broker) -> None:
    with pytest.raises(AlreadyRunning, match=f"pid {kafka.pid}"):
        kafka.start()
    assert answers_metadata(kafka.bootstrap)


def test_broker_when_its_port_is_taken_then_one_line_names_port_holder_and_remedy(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((ports.HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            Broker(tmp_path, port).start()
    text = str(caught.value)
    assert "\n" not in text
    assert f"port {port} for Kafka is taken by" in text
    assert f"(pid {psutil.Process().pid})" in text
    assert "choose another port" in text


def test_broker_with_an_extra_listener_when_asked_there_then_sends_clients_to_the_advertised_port(tmp_path: Path) -> None:
    inner, outer = ports.free_port(), ports.free_port()
    broker = Broker(tmp_path, extra_listeners={"PROXIED": Listener(inner, outer)})
    broker.start()
    try:
        assert _advertised(f"{ports.HOST}:{inner}") == {outer}
        assert _advertised(broker.bootstrap) == {broker.port}
    finally:
        broker.stop()


def _advertised(bootstrap: str) -> set[int]:
    async def run() -> set[int]:
        client = AIOKafkaClient(bootstrap_servers=bootstrap)
        try:
            await client.bootstrap()
            return {broker.port for broker in client.cluster.brokers()}
        finally:
            await client.close()

    return asyncio.run(run())


def test_bound_broker_when_its_starter_is_killed_then_dies_too(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from ginkgo_streams.local.kafka import Broker\n"
        "b = Broker(Path(sys.argv[1])); b.start(); print(b.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        broker = psutil.Process(int(starter.stdout.readline()))
        assert broker.is_running()
        starter.kill()
    assert wait_for(lambda: not broker.is_running(), 10)


def test_session_broker_when_topics_are_named_apart_then_is_shared(kafka: Broker) -> None:
    topic = f"t-{uuid.uuid4()}"
    create(kafka.bootstrap, topic)
    produce(kafka.bootstrap, topic, b"x")
    assert values(kafka.bootstrap, topic, 1) == [b"x"]
