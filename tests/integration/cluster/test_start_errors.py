"""What keeps a process from starting is said in one line with its remedy, and the exit status is 1."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ginkgo_streams.local.kafka import Broker
from ginkgo_streams.local.ports import free_port
from ginkgo_streams.topics import CONTROL, MARKET_DATA
from tests.integration.cluster.harness import Cluster, Process, ginkgo

NODE = ginkgo("worker", "start", "--type", "execution_node", "--node-id", "execution_node_001")
LIVECORE = ginkgo("livecore", "start", "--data-source", "none")
FAUST = [sys.executable, "-m", "faust", "-A", "ginkgo", "worker"]


@pytest.mark.parametrize("command", [NODE, LIVECORE, FAUST], ids=["node", "livecore", "faust"])
def test_s5_1_s7_9_process_when_kafka_is_unreachable_then_it_tries_again_and_exits_1_with_the_address(
    command: list[str], tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    environment = {"GINKGO_HOME": str(tmp_path), "GINKGO_KAFKA__BOOTSTRAP_SERVERS": address, "GINKGO_KAFKA__CONNECT_TIMEOUT": "2"}
    process = Process("alone", command, tmp_path, environment)
    assert process.wait_end() == 1, process.text()
    trying = f"Failed to connect to Kafka: No brokers available at {address}; trying again for 2 s"
    assert trying in process.text()
    assert f"Failed to connect to Kafka: No brokers available at {address} for 2 s" in process.lines()[-1], process.text()
    assert "Traceback" not in process.text()


@pytest.mark.parametrize("command", [NODE, LIVECORE], ids=["node", "livecore"])
def test_process_when_told_to_stop_while_it_waits_for_kafka_then_it_ends_with_exit_0(command: list[str], tmp_path: Path) -> None:
    environment = {"GINKGO_HOME": str(tmp_path), "GINKGO_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
    process = Process("alone", command, tmp_path, environment)
    process.wait_for("trying again for 60 s")
    assert process.stop() == 0, process.text()
    assert "Received SIGTERM, gracefully stopping..." in process.text()
    assert "Traceback" not in process.text()


@pytest.mark.parametrize("command", [NODE, LIVECORE], ids=["node", "livecore"])
def test_s7_9_process_when_kafka_comes_late_then_it_starts_all_the_same(command: list[str], tmp_path: Path) -> None:
    broker = Broker(tmp_path / "kafka")
    cluster = Cluster(broker, tmp_path / "cluster")
    try:
        process = cluster.start("late", *command)
        process.wait_for(f"No brokers available at {broker.bootstrap}; trying again for 60 s")
        broker.start()
        process.wait_for("ready", timeout=90)
        assert process.stop() == 0
    finally:
        cluster.close()
        broker.stop()


def test_process_when_topics_exist_with_other_settings_then_it_names_topic_expected_and_found(fresh_kafka: Broker, tmp_path: Path) -> None:
    async def make() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=fresh_kafka.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(MARKET_DATA, 3, 1), NewTopic(CONTROL, 6, 1, topic_configs={"retention.ms": "60000"})])
        finally:
            await admin.close()

    asyncio.run(make())
    cluster = Cluster(fresh_kafka, tmp_path / "cluster")
    try:
        process = cluster.start("mistaken", *NODE)
        assert process.wait_end() == 1, process.text()
        last = process.lines()[-1]
        assert last.startswith("[ERROR] ")
        assert f"topic {MARKET_DATA}: expected 2 partitions, found 3" in last
        assert f"topic {CONTROL}: expected retention.ms=604800000, found 60000" in last
        assert "Traceback" not in process.text()
    finally:
        cluster.close()
