"""How often a failing database is tried, and what is left alone (scenario 7.5)."""

from __future__ import annotations

import threading
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from ginkgo_streams.local.databases import MariaDB
from ginkgo_streams.storage import database
from ginkgo_streams.storage.database import ATTEMPTS, StorageDown, attempt, connect
from ginkgo_streams.storage.portfolios import PortfolioStore
from ginkgo_streams.storage.schema import upgrade
from ginkgo_streams.storage.snapshots import SnapshotStore, newest_snapshot
from tests.integration.storage.samples import snapshot


def test_s7_5_deadlock_when_two_transactions_cross_then_both_succeed(mariadb: MariaDB) -> None:
    engine = connect(mariadb.url)
    with engine.begin() as connection:
        connection.execute(text("CREATE OR REPLACE TABLE crossing (id INT PRIMARY KEY, n INT)"))
        connection.execute(text("INSERT INTO crossing VALUES (1, 0), (2, 0)"))
    both_hold_one = threading.Barrier(2, timeout=20)
    tries: list[int] = []

    def add(first: int, second: int) -> None:
        met = False

        def work() -> None:
            nonlocal met
            tries.append(first)
            with engine.begin() as connection:
                connection.execute(text("UPDATE crossing SET n = n + 1 WHERE id = :id"), {"id": first})
                if not met:
                    met = True
                    both_hold_one.wait()
                connection.execute(text("UPDATE crossing SET n = n + 1 WHERE id = :id"), {"id": second})

        attempt(engine, "crossing", work)

    threads = [threading.Thread(target=add, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with engine.begin() as connection:
        assert list(connection.scalars(text("SELECT n FROM crossing ORDER BY id"))) == [2, 2]
        connection.execute(text("DROP TABLE crossing"))
    assert len(tries) == 3  # one of the two was the victim, and came again
    engine.dispose()


def test_attempt_when_the_failure_passes_not_then_three_tries_and_storage_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BACKOFF_S", (0.0, 0.0))
    engine = connect("mysql+pymysql://u:hunter2@db.example:3306/ginkgo")
    tries: list[int] = []

    def locked() -> None:
        tries.append(1)
        raise OperationalError("UPDATE x SET secret='hunter2'", {}, Exception(1213, "Deadlock found when trying to get lock"))

    with pytest.raises(StorageDown) as raised:
        attempt(engine, "saving", locked)
    assert len(tries) == ATTEMPTS == 3
    assert str(raised.value).startswith("saving failed: database mysql+pymysql://u:***@db.example:3306/ginkgo: Deadlock found")
    assert "hunter2" not in str(raised.value)


def test_attempt_when_the_error_is_of_the_data_then_one_try_and_the_error_itself(engine: Engine) -> None:
    tries: list[int] = []

    def twice() -> None:
        tries.append(1)
        with engine.begin() as connection:
            for _ in range(2):
                connection.execute(
                    text("INSERT INTO users (uuid, name, role, created_at) VALUES ('u', 'u', 'trader', '2026-11-24 00:00:00')")
                )

    with pytest.raises(IntegrityError):
        attempt(engine, "saving", twice)
    assert len(tries) == 1


def test_save_when_the_database_was_down_then_nothing_is_missing_after_a_repeat(fresh_mariadb: MariaDB) -> None:
    upgrade(fresh_mariadb.url)
    engine = connect(fresh_mariadb.url)
    store, saved = SnapshotStore(engine), snapshot()
    fresh_mariadb.stop()
    with pytest.raises(StorageDown):
        store.save([saved])
    fresh_mariadb.start()
    store.save([saved])
    assert newest_snapshot(engine, saved.portfolio_id) == saved
    engine.dispose()


def test_insert_when_the_answer_to_a_commit_is_lost_then_the_repeat_finds_its_own_row(engine: Engine) -> None:
    store, portfolio_id = PortfolioStore(engine), str(uuid4())
    first = store.insert(portfolio_id, "A", "u", Decimal(1), {})
    again = store.insert(portfolio_id, "A", "u", Decimal(1), {})
    assert again.uuid == first.uuid
    assert len(store.list()) == 1
