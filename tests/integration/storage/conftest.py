"""Databases for the storage tests: each test runs on SQLite and on MariaDB, with an empty schema of today."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

from ginkgo_streams.local.databases import MariaDB
from ginkgo_streams.storage.database import connect
from ginkgo_streams.storage.schema import upgrade


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deep/ginkgo.db"
    server: MariaDB = request.getfixturevalue("mariadb")
    engine = connect(server.url)
    with engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS=0"))
        for table in inspect(connection).get_table_names():
            connection.execute(text(f"DROP TABLE `{table}`"))
        connection.execute(text("SET FOREIGN_KEY_CHECKS=1"))
    engine.dispose()
    return server.url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database with the schema."""
    upgrade(database_url)
    made = connect(database_url)
    yield made
    made.dispose()
