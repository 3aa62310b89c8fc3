"""Bytes that are no message end in `<topic>.dlq` with the reason, an alert is raised, and trading goes on."""

from __future__ import annotations

import json

import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.topics import ALERTS, CONTROL, DLQ, FEEDBACK, MARKET_DATA, SUBMISSION
from tests.integration.cluster.harness import Cluster, until

CODE = "000001.SZ"


def price(**changes: object) -> bytes:
    good = {"event_type": "price_update", "_v": 1, "code": CODE, "timestamp": "2026-11-25T02:00:00.000Z", "price": 10.0}
    return json.dumps(good | changes).encode()


BAD = [
    (MARKET_DATA, b"{not json", "malformed"),
    (MARKET_DATA, price(price=-1), "price"),
    (MARKET_DATA, price(_v=2), "_v"),
    (MARKET_DATA, price(event_type="price_guess"), "price_guess"),
    (MARKET_DATA, price(timestamp="yesterday"), "yesterday"),
    (MARKET_DATA, price(market="HK"), "market HK"),
    (CONTROL, b"\xff\xfe", "malformed"),
    (CONTROL, b'{"_v": 1, "command_id": "1", "command_type": "portfolio.explode", "target_id": "x", "timestamp": ""}', "portfolio.explode"),
    (SUBMISSION, b"[]", "Expected"),
    (FEEDBACK, b'{"event_type": "order_filled"}', "missing required field"),
]


@pytest.fixture(scope="module")
def portfolio_id(cluster: Cluster) -> str:
    cluster.only("livecore_001", "execution_node_001")
    made = cluster.create("Trades on", [CODE])
    cluster.wait_status(made, "running")
    return made


def test_bad_messages_when_they_come_then_each_is_kept_with_its_reason_and_alerted_and_trading_goes_on(
    cluster: Cluster, portfolio_id: str
) -> None:
    for topic, value, _ in BAD:
        cluster.topics.send(topic, value, b"a key")
    for topic in {topic for topic, _, _ in BAD}:
        wanted = [(value, reason) for where, value, reason in BAD if where == topic]
        until(lambda topic=topic, wanted=wanted: len(cluster.topics.records(topic + DLQ)) >= len(wanted), cluster.logs)  # type: ignore[misc]
        letters = {record.value: record for record in cluster.topics.records(topic + DLQ)}
        assert len(letters) == len(wanted)
        for value, reason in wanted:
            letter = letters[value]
            headers = dict(letter.headers)
            assert letter.key == b"a key"
            assert reason in headers["reason"].decode()
            assert headers["topic"].decode() == topic
    alerts = [a for a in cluster.topics.messages(ALERTS, m.Alert) if ".dlq" in a.message]
    assert len({a.alert_id for a in alerts}) == len(BAD)
    assert {(a.alert_type, a.severity) for a in alerts} == {("data_anomaly", "warning")}

    order = cluster.buy(portfolio_id, CODE)
    cluster.market.step(volume=10_000_000)
    cluster.wait_snapshot(portfolio_id, lambda s: s.fills == 1 and not s.open_orders, f"{order} filled")


def test_dead_letters_when_the_processes_start_again_then_they_are_not_read_again(cluster: Cluster, portfolio_id: str) -> None:
    before = {topic: len(cluster.topics.records(topic + DLQ)) for topic in (MARKET_DATA, CONTROL, SUBMISSION, FEEDBACK)}
    cluster.only()
    cluster.only("livecore_001", "execution_node_001")
    other = cluster.create("Comes later", [CODE])
    cluster.wait_status(other, "running")
    order = cluster.buy(other, CODE)
    cluster.market.step(volume=10_000_000)
    cluster.wait_snapshot(other, lambda s: s.fills == 1 and not s.open_orders, f"{order} filled")
    assert {topic: len(cluster.topics.records(topic + DLQ)) for topic in before} == before
    cluster.audit()
