"""A real broker for tests: one for the session, and a fresh one for those that kill it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ginkgo_streams.local.home import local_folder
from ginkgo_streams.local.kafka import Broker

# Tests set GINKGO_HOME for themselves and their children; the jars are fetched once for all of them.
os.environ.setdefault("GINKGO_KAFKA_LIBS", str(local_folder() / "kafka" / "libs"))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for the whole session: use topic and group names of your own (a UUID in them), never stop it."""
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def fresh_kafka(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own: it may be stopped, killed, paused and restarted."""
    broker = Broker(tmp_path / "kafka")
    broker.start()
    yield broker
    broker.stop()
