"""Database and Redis go away and come back: trading goes on, nothing is missing afterwards, nothing older overwrites."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
import redis
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import select

from ginkgo_streams import messages as m
from ginkgo_streams.commands import portfolio_command, send_commands_now
from ginkgo_streams.local.databases import MariaDB, Redis
from ginkgo_streams.local.kafka import Broker
from ginkgo_streams.storage.database import connect
from ginkgo_streams.storage.models import PortfolioTransition
from ginkgo_streams.storage.snapshots import newest_snapshot
from ginkgo_streams.topics import ALERTS, LIVECORE_APP, SNAPSHOTS
from tests.integration.cluster.harness import Cluster, until
from tests.servers.databases import new_mariadb

CODES = ["000001.SZ", "600000.SH"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    server = new_mariadb(tmp_path_factory.mktemp("mariadb"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def cluster(module_broker: Broker, module_redis: Redis, database: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(module_broker, tmp_path_factory.mktemp("cluster"), redis=module_redis, database_url=database.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def portfolios(cluster: Cluster) -> list[str]:
    cluster.only("livecore_001", "execution_node_001")
    made = [cluster.create(f"Busy {number}", CODES, busy=number) for number in range(2)]
    for each in made:
        cluster.wait_status(each, "running")
    return made


def stored(cluster: Cluster, portfolio_id: str) -> m.Snapshot | None:
    engine = connect(cluster.database_url)
    try:
        return newest_snapshot(engine, portfolio_id)
    finally:
        engine.dispose()


def shown(server: Redis, portfolio_id: str) -> dict[str, object]:
    with redis.Redis(port=server.port, decode_responses=True) as client:
        value = client.get(f"portfolio:{portfolio_id}:state")
        assert value is None or isinstance(value, str)
        found: dict[str, object] = json.loads(value) if value else {}
        return found


def moves(cluster: Cluster, portfolio_id: str) -> list[tuple[str, str]]:
    engine = connect(cluster.database_url)
    row = PortfolioTransition
    try:
        with engine.connect() as connection:
            rows = connection.execute(select(row.from_status, row.to_status).where(row.portfolio_id == portfolio_id))
            return sorted((each[0], each[1]) for each in rows)
    finally:
        engine.dispose()


def component_alerts(cluster: Cluster, component: str) -> list[str]:
    """Severities of the alerts of a dependency, in order."""
    alerts = [a for a in cluster.topics.messages(ALERTS, m.Alert) if a.alert_type == "component_error"]
    return [a.severity for a in alerts if str(a.details["component"]).startswith(component)]


def wait_orders(cluster: Cluster, portfolios: list[str], more: int) -> None:
    before = {each: len(cluster.orders(each)) for each in portfolios}
    until(lambda: all(len(cluster.orders(each)) >= before[each] + more for each in portfolios), cluster.logs)


def committed(cluster: Cluster, partition: int) -> int:
    """How far livecore has read a partition of the snapshots, as the group has it."""

    async def ask() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=cluster.broker.bootstrap)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(LIVECORE_APP)
            return max((meta.offset for tp, meta in offsets.items() if (tp.topic, tp.partition) == (SNAPSHOTS, partition)), default=-1)
        finally:
            await admin.close()

    return asyncio.run(ask())


def test_database_when_stopped_then_trading_goes_on_and_nothing_is_missing_when_it_is_back(
    cluster: Cluster, portfolios: list[str], database: MariaDB
) -> None:
    with cluster.market.trading():
        wait_orders(cluster, portfolios, 2)
        until(lambda: all(stored(cluster, each) is not None for each in portfolios), cluster.logs)
        database.stop()
        until(lambda: component_alerts(cluster, "Database") == ["critical"], cluster.logs)
        wait_orders(cluster, portfolios, 4)
        send_commands_now(cluster.settings, [portfolio_command("portfolio.stop", portfolios[0])])
        cluster.wait_status(portfolios[0], "stopped")
        send_commands_now(cluster.settings, [portfolio_command("portfolio.start", portfolios[0])])
        cluster.wait_status(portfolios[0], "running")
        wait_orders(cluster, portfolios, 1)
        database.start()
        until(lambda: component_alerts(cluster, "Database") == ["critical", "info"], cluster.logs)

    def whole() -> bool:
        newest = [cluster.snapshot(each) for each in portfolios]
        return all(s is not None and stored(cluster, s.portfolio_id) == s for s in newest)

    until(whole, lambda: f"{[stored(cluster, each) for each in portfolios]}\n{cluster.logs()}")
    # by names: two of them may be of the same millisecond
    assert moves(cluster, portfolios[0]) == [
        ("created", "running"), ("running", "stopping"), ("stopped", "running"), ("stopping", "stopped"),
    ]  # fmt: skip
    assert all(process.child.alive for process in cluster.processes)
    cluster.audit()


def test_s5_2_redis_when_stopped_then_trading_goes_on_and_the_views_are_whole_when_it_is_back(
    cluster: Cluster, portfolios: list[str], module_redis: Redis
) -> None:
    cluster.only("livecore_001", "execution_node_001")
    with cluster.market.trading():
        wait_orders(cluster, portfolios, 1)
        module_redis.stop()
        until(lambda: component_alerts(cluster, "Redis") == ["critical"], cluster.logs)
        wait_orders(cluster, portfolios, 4)
        module_redis.start()
        until(lambda: component_alerts(cluster, "Redis") == ["critical", "info"], cluster.logs)

    def whole() -> bool:
        newest = [cluster.snapshot(each) for each in portfolios]
        return all(s is not None and shown(module_redis, s.portfolio_id).get("cash") == s.cash for s in newest)

    until(whole, cluster.logs)
    with redis.Redis(port=module_redis.port, decode_responses=True) as client:
        until(lambda: client.get("heartbeat:node:execution_node_001") == "alive", cluster.logs)
    assert all(process.child.alive for process in cluster.processes)
    cluster.audit()


def test_s5_1_kafka_when_it_goes_away_then_each_process_says_so_and_trades_on_when_it_is_back(
    cluster: Cluster, portfolios: list[str], module_broker: Broker
) -> None:
    node, livecore = (next(p for p in cluster.processes if p.name == name) for name in ("execution_node_001", "livecore_001"))
    module_broker.kill()
    for process in (node, livecore):
        process.wait_for(f"[CRITICAL] Kafka does not answer at {module_broker.bootstrap}, tries again: ")
    module_broker.start()
    until(lambda: sorted(component_alerts(cluster, "Kafka")) == ["critical", "critical", "info", "info"], cluster.logs)
    with cluster.market.trading():
        wait_orders(cluster, portfolios, 2)
    assert node.child.alive
    assert livecore.child.alive
    cluster.audit()


def test_snapshot_when_an_older_one_comes_again_then_neither_database_nor_redis_goes_back(
    cluster: Cluster, portfolios: list[str], module_redis: Redis
) -> None:
    cluster.only("livecore_001", "execution_node_001")
    one = portfolios[1]
    send_commands_now(cluster.settings, [portfolio_command("portfolio.stop", one)])
    cluster.wait_status(one, "stopped")
    until(lambda: (s := stored(cluster, one)) is not None and s.status == "stopped", cluster.logs)
    until(lambda: shown(module_redis, one).get("status") == "stopped", cluster.logs)
    old = next(
        record
        for record in cluster.topics.records(SNAPSHOTS)
        if (found := m.decode(record.value, m.Snapshot)).portfolio_id == one and found.status == "running"
    )
    cluster.topics.send(SNAPSHOTS, old.value, old.key, old.partition)
    again = [record.offset for record in cluster.topics.records(SNAPSHOTS) if record.value == old.value][-1]
    assert again > old.offset
    until(lambda: committed(cluster, old.partition) > again, cluster.logs)
    found = stored(cluster, one)
    assert found is not None
    assert found.status == "stopped"
    assert shown(module_redis, one)["status"] == "stopped"
