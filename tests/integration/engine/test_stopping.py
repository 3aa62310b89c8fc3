"""SIGTERM ends a node whatever the broker does."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from ginkgo_streams.local.kafka import Broker

from .cluster import ToyCluster

STOP_S = 60.0
"""What docs/operations.md gives a process to end by SIGTERM."""


def test_stop_when_the_broker_is_dead_ends_within_a_minute_and_the_counters_are_exact(fresh_kafka: Broker, tmp_path: Path) -> None:
    toys = ToyCluster(fresh_kafka.bootstrap, tmp_path)
    try:
        nodes = [toys.node("n1"), toys.node("n2")]
        for node in nodes:
            node.wait_for("OWNS", 2)
        with toys.feeding():
            toys.settle_some()
        fresh_kafka.kill()
        told = time.monotonic()
        for node in nodes:
            node.process.send_signal(signal.SIGTERM)
        assert [node.wait_dead(told + STOP_S - time.monotonic()) for node in nodes] == [0, 0]
        fresh_kafka.start()
        again = toys.node("n1")
        toys.settle()
        assert again.stop() == 0
        toys.audit()
    finally:
        toys.close()
