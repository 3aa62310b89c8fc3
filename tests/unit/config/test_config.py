"""Settings: where they come from, which source wins, and how errors are told."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from ginkgo_streams.config import ConfigErrors, Settings, load_settings

QUICKSTART = Path(__file__).parents[4] / "shared" / "spec" / "quickstart.zh.md"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without a file, and an environment without our variables."""
    for name in list(os.environ):
        if name.startswith("GINKGO_") or name in ("NODE_ID", "KAFKA_BOOTSTRAP_SERVERS", "REDIS_HOST", "REDIS_PORT", "MYSQL_HOST"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GINKGO_HOME", str(tmp_path))
    return tmp_path


def _errors(**overrides: object) -> ConfigErrors:
    with pytest.raises(ConfigErrors) as raised:
        load_settings(overrides)
    return raised.value


def test_load_when_nothing_is_given_then_defaults_and_no_password(folder: Path) -> None:
    settings = load_settings()
    assert settings.kafka.bootstrap == "localhost:9092"
    assert (settings.kafka.slots, settings.kafka.market_data_partitions, settings.kafka.session_timeout) == (24, 10, 3.0)
    assert settings.database_url == f"sqlite:///{folder}/local/ginkgo.db"
    assert settings.datadir == folder / "data" / settings.node.id
    assert (settings.redis, settings.mysql) == (None, None)


def test_load_when_livecore_then_its_id_is_not_the_nodes_of_the_same_machine() -> None:
    assert load_settings(role="livecore").node.id != load_settings().node.id


@pytest.mark.skipif(not QUICKSTART.exists(), reason=f"the quickstart is not at {QUICKSTART}")
@pytest.mark.parametrize("name", ["config.yaml", "data_sources.yml", "brokers.yml"])
def test_load_when_files_are_those_of_the_quickstart_then_every_field_is_taken(name: str, folder: Path) -> None:
    text = QUICKSTART.read_text(encoding="utf-8")
    block = re.search(rf"`~/\.ginkgo/{re.escape(name)}`:\s*```yaml\n(.*?)```", text, re.DOTALL)
    assert block is not None
    (folder / name).write_text(block[1], encoding="utf-8")
    settings = load_settings()
    if name == "config.yaml":
        assert settings.database_url == "mysql+pymysql://ginkgo:ginkgo_password@localhost:3306/ginkgo"
        assert settings.redis is not None
        assert settings.mongodb is not None
        assert settings.clickhouse is not None
    elif name == "data_sources.yml":
        assert {code: str(price) for code, price in settings.sources.simulation.initial_prices.items()} == {
            "000001.SZ": "10.0",
            "000002.SZ": "20.0",
        }
    else:
        assert settings.all_brokers["real_broker"].type == "real"


def test_load_when_partitions_are_chosen_as_in_the_quickstart_then_they_count(folder: Path) -> None:
    topics = "kafka:\n  topics:\n    ginkgo.live.market.data:\n      partitions: 20\n      replication_factor: 3\n"
    (folder / "config.yaml").write_text(topics)
    assert load_settings().kafka.market_data_partitions == 20


def test_load_when_a_field_stands_in_all_sources_then_the_first_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "config.yaml").write_text("kafka: {bootstrap_servers: ['file:1', 'file:2'], slots: 6}\nnode: {max_portfolios: 4}\n")
    assert load_settings().kafka.bootstrap == "file:1,file:2"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "plain:1")
    assert load_settings().kafka.bootstrap == "plain:1"
    monkeypatch.setenv("GINKGO_KAFKA__BOOTSTRAP_SERVERS", "nested:1,nested:2")
    assert load_settings().kafka.bootstrap_servers == ["nested:1", "nested:2"]
    settings = load_settings({"kafka": {"bootstrap_servers": "option:1"}, "node": {"id": None}})
    assert settings.kafka.bootstrap == "option:1"
    assert (settings.kafka.slots, settings.node.max_portfolios) == (6, 4)


def test_load_when_plain_variables_are_set_as_in_compose_files_then_they_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NODE_ID": "n7", "REDIS_HOST": "redis", "REDIS_PORT": "6380", "MYSQL_HOST": "mysql"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GINKGO_MYSQL__PASSWORD", "p@ss/word")
    settings = load_settings()
    assert settings.node.id == "n7"
    assert settings.redis is not None
    assert (settings.redis.host, settings.redis.port) == ("redis", 6380)
    assert settings.database_url == "mysql+pymysql://ginkgo:p%40ss%2Fword@mysql:3306/ginkgo"


def test_load_when_kubernetes_sets_service_variables_then_they_are_not_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PORT", "tcp://10.0.0.1:6379")
    monkeypatch.setenv("GINKGO_API_PORT", "tcp://10.0.0.2:8000")
    assert load_settings().redis is None


def test_load_when_there_are_three_errors_then_all_are_listed_with_place_value_and_expectation(folder: Path) -> None:
    (folder / "config.yaml").write_text("kafka:\n  slots: many\n  colour: red\nredis:\n  port: 99999\n")
    text = str(_errors())
    assert text.startswith("3 errors in the configuration:\n")
    assert f"{folder}/config.yaml: kafka.slots is 'many': expected a valid integer" in text
    assert f"{folder}/config.yaml: redis.port is 99999: expected less than or equal to 65535" in text
    assert f"{folder}/config.yaml: kafka.colour: unknown key, expected one of bootstrap_servers, " in text


def test_load_when_each_source_has_an_error_then_each_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "config.yaml").write_text("kafak: {}\n")
    (folder / "data_sources.yml").write_text("sources: {simulation: {initial_prices: {ABC: 1, 000001.SZ: -3}}}\n")
    (folder / "brokers.yml").write_text("brokers: {a: {type: real, broker_name: x}, b: {type: paper}}\n")
    monkeypatch.setenv("REDIS_PORT", "abc")
    monkeypatch.setenv("GINKGO_KAFKA__SESSION_TIMEOUT", "soon")
    monkeypatch.setenv("GINKGO_KAFAK__SLOTS", "3")
    places = {(problem.source, problem.field) for problem in _errors(node={"id": "a b"}).problems}
    assert places == {
        (f"{folder}/config.yaml", "kafak"),
        (f"{folder}/data_sources.yml", "sources.simulation.initial_prices.ABC"),
        (f"{folder}/data_sources.yml", "sources.simulation.initial_prices.000001.SZ"),
        (f"{folder}/brokers.yml", "brokers.a.api_key"),
        (f"{folder}/brokers.yml", "brokers.a.api_secret"),
        (f"{folder}/brokers.yml", "brokers.a.password"),
        (f"{folder}/brokers.yml", "brokers.b"),
        ("environment variable REDIS_PORT", "redis.port"),
        ("environment variable GINKGO_KAFKA__SESSION_TIMEOUT", "kafka.session_timeout"),
        ("environment variable GINKGO_KAFAK__SLOTS", "kafak.slots"),
        ("command line", "node.id"),
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", "mysql: {password: [hunter2]}"),
        ("config.yaml", "mysql: {pasword: hunter2}"),
        ("config.yaml", "mysql: hunter2\nmysql_password: hunter2"),
        ("config.yaml", "database: {url: 'postgres://u:hunter2@h/d'}"),
        ("config.yaml", "mysql: {password: hunter2\n  user: 'x"),
        ("config.yaml", "mysql: {password: hunter2, password: hunter2}"),
        ("data_sources.yml", "sources: {tushare: {token: {a: hunter2}}}"),
        ("data_sources.yml", "sources: {tushare: {tokne: hunter2}}"),
        ("brokers.yml", "brokers: {a: {type: real, broker_name: x, api_key: hunter2, api_secret: 5, passwrd: hunter2}}"),
        ("brokers.yml", "- hunter2"),
    ],
)
def test_load_when_a_secret_stands_in_a_wrong_place_then_its_value_is_not_told(name: str, content: str, folder: Path) -> None:
    (folder / name).write_text(content)
    error = _errors()
    assert name in str(error)
    assert "hunter2" not in str(error)


def test_settings_when_printed_then_no_secret_in_it(folder: Path) -> None:
    (folder / "config.yaml").write_text("mysql: {password: hunter2}\nredis: {password: hunter2}\ndatabase: {url: 'sqlite:///hunter2'}\n")
    settings: Settings = load_settings()
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_load_when_mysql_has_no_password_then_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_HOST", "mysql")
    assert "mysql.password: missing, and it has no default" in str(_errors())


def test_load_when_a_fixed_kafka_setting_is_changed_then_it_is_an_error(folder: Path) -> None:
    (folder / "config.yaml").write_text("kafka: {auto_offset_reset: latest, enable_auto_commit: true, group_id: mine}\n")
    assert {problem.field for problem in _errors().problems} == {"kafka.auto_offset_reset", "kafka.enable_auto_commit", "kafka.group_id"}


def test_load_when_a_local_stack_runs_then_its_addresses_fill_what_nothing_else_says(folder: Path) -> None:
    (folder / "local").mkdir()
    stack = {"kafka": "127.0.0.1:1111", "redis": "127.0.0.1:2222", "database_url": "mysql+pymysql://g:s@127.0.0.1:3/g", "phase": "up"}
    (folder / "local" / "stack.json").write_text(json.dumps(stack))
    settings = load_settings()
    assert settings.kafka.bootstrap == "127.0.0.1:1111"
    assert settings.redis is not None
    assert settings.redis.port == 2222
    assert settings.database_url == "mysql+pymysql://g:s@127.0.0.1:3/g"
    (folder / "config.yaml").write_text("redis: {host: prod}\nmysql: {host: prod, password: x}\nkafka: {slots: 6}\n")
    settings = load_settings()
    assert settings.kafka.bootstrap == "127.0.0.1:1111"
    assert settings.redis is not None
    assert (settings.redis.host, settings.redis.port) == ("prod", 6379)
    assert "prod" in settings.database_url


def test_load_when_livecore_has_a_feed_it_cannot_run_then_the_error_says_what_is_missing(folder: Path) -> None:
    def told(**livecore: object) -> str:
        with pytest.raises(ConfigErrors) as raised:
            load_settings({"livecore": livecore}, role="livecore")
        return str(raised.value)

    assert f"{folder}/data_sources.yml: sources.tushare.token: missing" in told(data_source="tushare")
    assert "livecore.file: missing" in told(data_source="replay")
    assert "'/no/such.csv': there is no such file" in told(data_source="replay", file="/no/such.csv")
