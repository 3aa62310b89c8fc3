"""SIGTERM ends a node whatever the broker does."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from ginkgo_streams.local.kafka import Broker

from . import toy
from .cluster import ToyCluster, until

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


def test_stop_when_told_again_and_again_then_the_status_is_still_0(fresh_kafka: Broker, tmp_path: Path) -> None:
    """A supervisor that asks twice does not make a failure of a clean end, however late it asks."""
    toys = ToyCluster(fresh_kafka.bootstrap, tmp_path)
    try:
        node = toys.node("n1")
        node.wait_for("OWNS", toy.SLOTS)

        def told() -> bool:
            node.process.send_signal(signal.SIGTERM)
            return node.process.poll() is not None

        until(told, STOP_S, node.text)
        assert node.process.returncode == 0
    finally:
        toys.close()
