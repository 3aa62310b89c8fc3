"""Rows of portfolios, and the schema, on SQLite and MariaDB."""

from __future__ import annotations

import multiprocessing
from decimal import Decimal
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect
from sqlalchemy.orm import Session

from ginkgo_streams.local.databases import MariaDB
from ginkgo_streams.local.ports import free_port
from ginkgo_streams.storage.database import StorageDown, connect
from ginkgo_streams.storage.models import Base, User
from ginkgo_streams.storage.portfolios import DuplicateName, PortfolioStore
from ginkgo_streams.storage.schema import newest_version, upgrade


def test_upgrade_when_empty_then_schema_is_that_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == newest_version() == "0002"


def test_upgrade_when_three_processes_start_at_once_then_all_succeed(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=upgrade, args=(database_url,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    engine = connect(database_url)
    assert "portfolios" in inspect(engine).get_table_names()
    engine.dispose()


def test_insert_when_user_is_unknown_then_user_and_portfolio_have_rows(engine: Engine) -> None:
    store = PortfolioStore(engine)
    portfolio_id = str(uuid4())
    store.insert(portfolio_id, "First", "user_uuid", Decimal("100000.1234"), {"strategy": {"params": {"short_period": 5}}})
    row = store.get(portfolio_id)
    assert row is not None
    assert (row.name, row.user_id, row.status, row.initial_cash) == ("First", "user_uuid", "created", Decimal("100000.1234"))
    assert row.config == {"strategy": {"params": {"short_period": 5}}}
    assert row.created_at.tzinfo is not None
    with Session(engine) as session:
        user = session.get(User, "user_uuid")
        assert user is not None
        assert user.password_hash is None


def test_insert_when_the_user_has_that_name_then_duplicate_name(engine: Engine) -> None:
    store = PortfolioStore(engine)
    store.insert(str(uuid4()), "First", "u1", Decimal(1), {})
    with pytest.raises(DuplicateName, match="user 'u1' already has a portfolio named 'First'"):
        store.insert(str(uuid4()), "First", "u1", Decimal(1), {})
    store.insert(str(uuid4()), "First", "u2", Decimal(1), {})
    assert [(row.user_id, row.name) for row in store.list(user_id="u1")] == [("u1", "First")]
    assert len(store.ids()) == 2


def test_delete_when_done_twice_then_says_whether_there_was_a_row(engine: Engine) -> None:
    store = PortfolioStore(engine)
    portfolio_id = str(uuid4())
    store.insert(portfolio_id, "First", "u1", Decimal(1), {})
    assert [store.delete(portfolio_id), store.delete(portfolio_id)] == [True, False]
    assert store.get(portfolio_id) is None


def test_read_when_no_server_answers_then_storage_down_names_the_address_and_no_password() -> None:
    port = free_port()
    store = PortfolioStore(connect(f"mysql+pymysql://ginkgo:hunter2@127.0.0.1:{port}/ginkgo"))
    with pytest.raises(StorageDown) as raised:
        store.list()
    assert f"127.0.0.1:{port}" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_store_when_mariadb_restarts_then_the_next_call_works(fresh_mariadb: MariaDB) -> None:
    upgrade(fresh_mariadb.url)
    engine = connect(fresh_mariadb.url)
    store = PortfolioStore(engine)
    store.insert(str(uuid4()), "First", "u1", Decimal(1), {})
    fresh_mariadb.kill()
    with pytest.raises(StorageDown):
        store.list()
    fresh_mariadb.start()
    assert [row.name for row in store.list()] == ["First"]
    engine.dispose()
