"""Real MariaDB and Redis for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ginkgo_streams.local.databases import MariaDB, Redis


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """One MariaDB for the whole session, its database empty at first: never stop it, clean up your tables."""
    server = MariaDB(tmp_path_factory.mktemp("mariadb"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def fresh_mariadb(tmp_path: Path) -> Iterator[MariaDB]:
    """A MariaDB of the test's own: it may be stopped, killed and restarted."""
    server = MariaDB(tmp_path / "mariadb")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Redis]:
    """A Redis of the test's own (30 ms): it may be stopped, killed and restarted."""
    server = Redis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()
