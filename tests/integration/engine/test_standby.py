"""A standby is worth what it has on its own disk when the owner dies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rocksdict import AccessType, Options, Rdict

from ginkgo_streams.engine.envelope import RESERVED, unseal
from ginkgo_streams.local.kafka import Broker

from .cluster import ToyCluster, ToyNode, until


@pytest.fixture
def toys(fresh_kafka: Broker, tmp_path: Path) -> Iterator[ToyCluster]:
    cluster = ToyCluster(fresh_kafka.bootstrap, tmp_path)
    yield cluster
    cluster.close()


def on_disk(node: ToyNode) -> dict[str, int]:
    """The counters in a running node's RocksDB, its own and its standby copies."""
    found: dict[str, int] = {}
    for folder in node.data.rglob("counters-*.db"):
        copy = Rdict(str(folder), options=Options(raw_mode=True), access_type=AccessType.read_only())
        for key, value in copy.items():
            if not key.startswith((RESERVED, b"__faust")):
                found[key.decode()] = json.loads(unseal(value).payload)["total"]
        copy.close()
    return found


def test_standby_of_a_few_records_has_them_on_its_disk_while_the_owner_lives(toys: ToyCluster) -> None:
    toys.node("n1").wait_for("OWNS", 4)
    second = toys.node("n2")
    second.wait_for("OWNS", 2)
    toys.feed(40)
    toys.settle()
    # With two nodes each has every slot, as owner or as standby.
    until(lambda: on_disk(second) == dict(toys.expected), 30, lambda: f"on its disk {on_disk(second)}, expected {dict(toys.expected)}")
