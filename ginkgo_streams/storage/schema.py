"""Brings a database to the schema of this version; any number of processes may do it at once."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from ginkgo_streams.storage.database import CONNECT_TIMEOUT_S, StorageDown, address, attempt, connect

LOCK_SECONDS = 60
_UNKNOWN_DATABASE = 1049


def upgrade(url: str) -> None:
    """Creates or upgrades the schema; a MySQL database that does not exist is created. Raises StorageDown.

    Without the lock two first starts would both find no table, and one would fail on creating the second's.
    """
    engine = connect(url)
    try:
        attempt(engine, "upgrading the schema", lambda: _upgrade(engine))
    finally:
        engine.dispose()


def _upgrade(engine: Engine) -> None:
    try:
        _migrate(engine)
    except OperationalError as error:
        if error.orig is None or error.orig.args[:1] != (_UNKNOWN_DATABASE,):
            raise
        _create_database(engine)
        _migrate(engine)


def _migrate(engine: Engine) -> None:
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    with engine.connect() as connection, _locked(connection):
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
        connection.commit()


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    if connection.dialect.name != "sqlite":
        got = connection.scalar(text("SELECT GET_LOCK('ginkgo_schema', :seconds)"), {"seconds": LOCK_SECONDS})
        if got != 1:
            raise StorageDown(
                f"another process has been upgrading {address(connection.engine.url)} for {LOCK_SECONDS} s; look what it does"
            )
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK('ginkgo_schema')"))
        return
    with Path(f"{connection.engine.url.database}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _create_database(engine: Engine) -> None:
    name = engine.url.database
    server = create_engine(make_url(engine.url).set(database=None), connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    try:
        with server.begin() as connection:
            connection.execute(text(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4"))
    finally:
        server.dispose()


logging.getLogger("alembic").setLevel(logging.WARNING)  # its "Context impl" lines are no news to a user
