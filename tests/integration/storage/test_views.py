"""The Redis views, on a real server, read as a person would: with plain Redis commands."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest
import redis

from ginkgo_streams.local.databases import Redis
from ginkgo_streams.local.ports import free_port
from ginkgo_streams.storage.views import NodeInfo, ViewDown, Views
from tests.integration.storage.samples import snapshot

INFO = NodeInfo(
    node_id="n1", host="h", port=6066, status="running", portfolio_count=2, last_heartbeat="2026-11-24T01:00:00.000Z",
    started_at="2026-11-24T00:00:00.000Z", version="0.1.0",
)  # fmt: skip


@pytest.fixture
def plain(redis_server: Redis) -> Iterator[redis.Redis]:
    client = redis.Redis(host="127.0.0.1", port=redis_server.port, decode_responses=True)
    yield client
    client.close()


@pytest.fixture
def views(redis_server: Redis, plain: redis.Redis) -> Iterator[Views]:
    made = Views("127.0.0.1", redis_server.port)
    yield made
    made.close()


def test_heartbeat_when_sent_then_keys_are_those_of_the_contract_and_expire(views: Views, plain: redis.Redis) -> None:
    views.heartbeat(INFO)
    assert plain.get("heartbeat:node:n1") == "alive"
    assert plain.smembers("nodes:active") == {"n1"}
    assert plain.hgetall("execution_node:n1:info")["portfolio_count"] == "2"
    assert 25 < plain.ttl("heartbeat:node:n1") <= 30
    assert 25 < plain.ttl("execution_node:n1:info") <= 30
    assert views.active_nodes() == [INFO]


def test_active_nodes_when_one_is_silent_then_it_is_taken_off(views: Views, plain: redis.Redis) -> None:
    views.heartbeat(INFO)
    views.heartbeat(msgspec.structs.replace(INFO, node_id="n2"))
    plain.delete("heartbeat:node:n1")
    assert [node.node_id for node in views.active_nodes()] == ["n2"]
    assert plain.smembers("nodes:active") == {"n2"}


def test_node_left_when_stopped_then_nothing_of_it_stays(views: Views, plain: redis.Redis) -> None:
    views.heartbeat(INFO)
    views.put_plan("n1", ["p"])
    views.node_left("n1")
    assert plain.keys("*") == []


def test_put_portfolios_when_saved_then_get_shows_json_and_deleted_ones_go(views: Views, plain: redis.Redis) -> None:
    saved = snapshot()
    views.put_portfolios([saved])
    shown = json.loads(str(plain.get(f"portfolio:{saved.portfolio_id}:state")))
    assert shown == {
        "portfolio_id": saved.portfolio_id, "name": saved.name, "status": "running", "cash": 89494.8949, "total_value": 100094.8949,
        "position_count": 1, "node_id": "n1", "last_update": "2026-11-24T01:31:00.000Z",
    }  # fmt: skip
    view = views.portfolio(saved.portfolio_id)
    assert view is not None
    assert view.cash == 89494.8949
    views.put_portfolios([msgspec.structs.replace(saved, seq=saved.seq + 1, status="deleted")])
    assert views.portfolio(saved.portfolio_id) is None


def test_put_portfolios_when_an_older_state_comes_later_then_the_newer_stays(views: Views) -> None:
    new = msgspec.structs.replace(snapshot(), epoch=3, seq=2, cash=2)
    views.put_portfolios([new])
    for epoch, seq in ((3, 1), (2, 9)):
        views.put_portfolios([msgspec.structs.replace(new, epoch=epoch, seq=seq, cash=1)])
    shown = views.portfolio(new.portfolio_id)
    assert shown is not None
    assert shown.cash == 2
    views.put_portfolios([msgspec.structs.replace(new, epoch=10, seq=1, status="deleted")])  # 10 > 3, as numbers are
    views.put_portfolios([new])
    assert views.portfolio(new.portfolio_id) is None


def test_put_plan_when_nodes_write_theirs_then_each_is_replaced_whole_and_the_others_stay(views: Views) -> None:
    views.put_plan("n1", ["p1", "p2"])
    views.put_plan("n2", ["p3"])
    assert (views.plan("n1"), views.plan("n2")) == ({"p1", "p2"}, {"p3"})
    views.put_plan("n1", ["p4"])
    views.put_plan("n2", [])
    assert (views.plan("n1"), views.plan("n2")) == ({"p4"}, set())


def test_plan_when_its_node_is_silent_then_it_goes_with_the_node(views: Views, plain: redis.Redis) -> None:
    views.heartbeat(INFO)
    views.put_plan("n1", ["p"])
    plain.delete("heartbeat:node:n1")
    assert views.active_nodes() == []
    assert plain.keys("schedule:plan:*") == []


def test_views_when_no_server_answers_then_view_down_names_the_address() -> None:
    port = free_port()
    with pytest.raises(ViewDown, match=f"127.0.0.1:{port}"):
        Views("127.0.0.1", port).heartbeat(INFO)
