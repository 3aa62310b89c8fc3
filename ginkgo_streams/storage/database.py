"""The connection to the relational database, and how often a failing one is tried."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError, TimeoutError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

log = logging.getLogger(__name__)

T = TypeVar("T")

ATTEMPTS = 3
BACKOFF_S = (0.1, 2.0)
"""Shortest and longest pause between two attempts, drawn at random so that two that deadlocked do not meet again."""

POOL_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 30
"""A database that accepts and never answers counts as down after this."""

_PASSING = (1205, 1213)
"""MySQL: lock wait time-out, deadlock. The statement may succeed when sent again."""


class StorageDown(Exception):
    """The database did not do what was asked, after every attempt. The text names its address and the last error."""


def connect(url: str) -> Engine:
    """An engine for a SQLAlchemy URL (mysql+pymysql or sqlite). Connects at first use; the folder of a SQLite file is made."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed)
        event.listen(engine, "connect", _sqlite_settings)
        return engine
    timeouts = {"connect_timeout": CONNECT_TIMEOUT_S, "read_timeout": ANSWER_TIMEOUT_S, "write_timeout": ANSWER_TIMEOUT_S}
    return create_engine(
        parsed,
        connect_args=timeouts,
        isolation_level="READ COMMITTED",  # repeatable read locks gaps: two upserts into one table would deadlock
        pool_pre_ping=True,
        pool_timeout=POOL_TIMEOUT_S,
        pool_recycle=1800,
    )


def _sqlite_settings(connection: Any, _record: object) -> None:
    """Readers do not wait for writers, and writers wait for each other (10 s)."""
    cursor = connection.cursor()
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def address(url: str | URL) -> str:
    """A database's address for people: without its password and options."""
    return make_url(url).set(query={}).render_as_string(hide_password=True)


def passing(error: BaseException) -> bool:
    """Whether the same work may succeed if done again: a deadlock, a lost or refused connection, an exhausted pool."""
    if isinstance(error, TimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if error.connection_invalidated or code in _PASSING:
        return True
    # 2000-2099 are the client's: cannot connect, gone away, lost. 1040: too many connections. 1053: server is stopping.
    refused = isinstance(code, int) and (2000 <= code < 2100 or code in (1040, 1053))
    return isinstance(error, OperationalError) and (refused or "database is locked" in str(error.orig))


def attempt(engine: Engine, what: str, work: Callable[[], T]) -> T:
    """Does `work`, a whole transaction, up to `ATTEMPTS` times while its failure is a passing one.

    Raises StorageDown for a database error that is left then; other errors (a duplicate key) as they are.
    """

    def told(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("%s failed, attempt %d of %d: %s", what, state.attempt_number, ATTEMPTS, _first_line(error))

    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=BACKOFF_S[0], max=BACKOFF_S[1]),
        retry=retry_if_exception(passing),
        before_sleep=told,
        reraise=True,
    )
    try:
        return retrying(work)
    except (OperationalError, TimeoutError) as error:
        raise StorageDown(f"{what} failed: database {address(engine.url)}: {_first_line(error)}") from error
    except SQLAlchemyError as error:
        if passing(error):
            raise StorageDown(f"{what} failed: database {address(engine.url)}: {_first_line(error)}") from error
        raise


def _first_line(error: BaseException | None) -> str:
    """The database's own words: without the statement and its values that SQLAlchemy adds."""
    cause = getattr(error, "orig", None) or error
    arguments = getattr(cause, "args", ())
    text = str(arguments[-1]) if arguments else str(cause)
    return (text.splitlines() or [type(cause).__name__])[0]
