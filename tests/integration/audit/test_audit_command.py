"""`ginkgo audit` on a real Kafka: its exit status, what it prints, and what it says when it cannot read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import typer
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from ginkgo_streams import messages as m
from ginkgo_streams import topics
from ginkgo_streams.cli.audit import register
from ginkgo_streams.engine.provision import provision
from ginkgo_streams.local.kafka import Broker
from ginkgo_streams.local.ports import free_port
from tests.unit.audit.books import P1, PING_AN, SLOT, Topics, agreeing


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GINKGO_HOME", str(tmp_path / "home"))


def audit(bootstrap: str, *options: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["audit", "--kafka-bootstrap-servers", bootstrap, *options])


def publish(bootstrap: str, books: Topics) -> None:
    async def send() -> None:
        await provision(bootstrap, topics.all_topics())
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            for topic, sent in (
                (topics.SUBMISSION, books.submissions),
                (topics.FEEDBACK, books.feedback),
                (topics.SNAPSHOTS, books.snapshots),
            ):
                assert isinstance(sent, Sequence)
                for message in sent:
                    await producer.send_and_wait(topic, m.encode(message), P1.encode(), SLOT)

    asyncio.run(send())


def test_audit_when_books_agree_then_exit_0_and_when_a_fill_is_doubled_then_exit_1_with_portfolio_code_and_amount(
    fresh_kafka: Broker,
) -> None:
    books = agreeing()
    publish(fresh_kafka.bootstrap, books)
    agrees = audit(fresh_kafka.bootstrap, "--json")
    assert agrees.exit_code == 0, agrees.output
    report = json.loads(agrees.stdout)
    assert {name: report[name] for name in ("ok", "orders", "fills", "portfolios", "differences")} == {
        "ok": True, "orders": 4, "fills": 4, "portfolios": 2, "differences": [],
    }  # fmt: skip
    assert audit(fresh_kafka.bootstrap).stdout.startswith("The books agree: 2 portfolios, 4 orders (0 pending, 1 open), 4 fills")

    fill = books.feedback[3]
    assert isinstance(fill, m.OrderFilled)
    publish(fresh_kafka.bootstrap, Topics(feedback=[msgspec.structs.replace(fill, trade_id="another")]))
    differs = audit(fresh_kafka.bootstrap, "--json", "--wait", "0.5")
    assert differs.exit_code == 1
    report = json.loads(differs.stdout)
    assert not report["ok"]
    assert (P1, PING_AN, "bought_amount", -6_300) in {
        (each["portfolio_id"], each["code"], each["kind"], each["amount"]) for each in report["differences"]
    }
    lines = audit(fresh_kafka.bootstrap, "--wait", "0").stdout.splitlines()
    assert f"portfolio {P1} {PING_AN}: bought amount: expected 16,800.0000, found 10,500.0000, difference -6,300.0000 CNY" in lines
    assert lines[-1].startswith("The books differ in ")


def test_audit_when_a_snapshot_is_still_on_its_way_then_it_waits_for_it(fresh_kafka: Broker) -> None:
    books = agreeing()
    *early, late = books.snapshots
    publish(fresh_kafka.bootstrap, Topics(books.submissions, books.feedback, early))

    async def both() -> Result:
        waiting = asyncio.create_task(asyncio.to_thread(audit, fresh_kafka.bootstrap, "--wait", "60"))
        await asyncio.to_thread(publish, fresh_kafka.bootstrap, Topics(snapshots=[late]))
        return await waiting

    assert audit(fresh_kafka.bootstrap, "--wait", "0").exit_code == 1
    result = asyncio.run(both())
    # what was sent before had no answer missing but order b3's, which is acknowledged: nothing is pending
    assert result.exit_code == 0, result.output


def test_audit_when_kafka_is_unreachable_then_exit_1_with_the_address_and_what_to_do() -> None:
    address = f"127.0.0.1:{free_port()}"
    result = audit(address, "--wait", "0.2")
    assert result.exit_code == 1
    assert f"[ERROR] Failed to connect to Kafka: No brokers available ({address}); start Kafka there" in result.stderr
    assert "Traceback" not in result.output
    as_json = audit(address, "--wait", "0", "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["ok"] is False


def test_audit_when_the_cluster_is_not_ginkgos_then_exit_1_and_the_topics_are_named(fresh_kafka: Broker) -> None:
    result = audit(fresh_kafka.bootstrap, "--wait", "0")
    assert result.exit_code == 1
    assert f"has no topic {topics.SUBMISSION}, {topics.FEEDBACK}, {topics.SNAPSHOTS}" in result.stderr


def test_audit_when_the_address_is_no_address_then_exit_1_and_it_is_named() -> None:
    result = audit("nowhere")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr
