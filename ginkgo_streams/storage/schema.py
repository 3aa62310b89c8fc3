"""Brings a database to the schema of this version; any number of processes may do it at once."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from ginkgo_streams.storage.database import CONNECT_TIMEOUT_S, StorageDown, address, attempt, connect

LOCK_SECONDS = 60
_UNKNOWN_DATABASE = 1049
_MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(url: str) -> None:
    """Creates or upgrades the schema; a MySQL database that does not exist is created. Raises StorageDown.

    Without the lock two first starts would both find no table, and one would fail on creating the second's.
    """
    engine = connect(url)
    try:
        attempt(engine, "upgrading the schema", lambda: _upgrade(engine))
    finally:
        engine.dispose()


def ensure(engine: Engine) -> None:
    """`upgrade`, where the schema is not of this version: a look takes 1 ms, loading alembic 300. Raises StorageDown."""
    if attempt(engine, "reading the schema's version", lambda: _version(engine)) != newest_version():
        attempt(engine, "upgrading the schema", lambda: _upgrade(engine))


def newest_version() -> str:
    """The version that this program needs: the last of the migrations, which are numbered."""
    return max(path.name for path in _MIGRATIONS.joinpath("versions").glob("[0-9]*.py")).partition("_")[0]


def _version(engine: Engine) -> str | None:
    """The version of the schema; None where there is none, or no database."""
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return version
    except OperationalError as error:
        if _unknown_database(error):
            return None
        raise


def _upgrade(engine: Engine) -> None:
    try:
        _migrate(engine)
    except OperationalError as error:
        if not _unknown_database(error):
            raise
        _create_database(engine)
        _migrate(engine)


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)  # its "Context impl" lines are no news to a user
    settings = Config()
    settings.set_main_option("script_location", str(_MIGRATIONS))
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


def _unknown_database(error: OperationalError) -> bool:
    return error.orig is not None and error.orig.args[:1] == (_UNKNOWN_DATABASE,)


def _create_database(engine: Engine) -> None:
    name = engine.url.database
    server = create_engine(make_url(engine.url).set(database=None), connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    try:
        with server.begin() as connection:
            connection.execute(text(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4"))
    finally:
        server.dispose()
