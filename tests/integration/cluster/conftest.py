"""One broker and one cluster per module (they have fixed topic names); modules that stop things begin with fresh ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ginkgo_streams.local.databases import Redis
from ginkgo_streams.local.kafka import Broker
from tests.integration.cluster.harness import Cluster


@pytest.fixture(scope="module")
def module_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of the module's own."""
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def module_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis of the module's own."""
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def cluster(module_broker: Broker, module_redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster without processes: the module's tests start them. Database: SQLite."""
    made = Cluster(module_broker, tmp_path_factory.mktemp("cluster"), redis=module_redis)
    yield made
    made.close()
