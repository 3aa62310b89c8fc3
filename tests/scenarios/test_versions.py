"""What earlier releases wrote is read by this one; what a later one wrote is refused, and stays where it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.agents.livecore import market_data
from ginkgo_streams.engine import envelope
from ginkgo_streams.engine.envelope import unseal
from ginkgo_streams.slots.exchange import EXCHANGE
from ginkgo_streams.slots.gateway import GATEWAY
from ginkgo_streams.slots.portfolios import PORTFOLIOS, WINDOWS
from ginkgo_streams.topics import (
    ALERTS,
    CONTROL,
    EVENTS,
    FEEDBACK,
    HALTS,
    INTEREST,
    LIVECORE_APP,
    MARKET_DATA,
    NODE_APP,
    SCHEDULE,
    SIM_ORDERS,
    SNAPSHOTS,
    SUBMISSION,
    TICKS,
    changelog,
)  # fmt: skip
from tests.scenarios.harness import Pipeline
from tests.scenarios.recording import FOLDER, load, recovered, sequel

RELEASES = sorted(path.name.removesuffix(".json.gz") for path in FOLDER.iterdir())

READERS: dict[str, Callable[[bytes], Any]] = {
    MARKET_DATA: m.decode_market,
    TICKS: m.decode_ticks,
    SUBMISSION: lambda value: m.decode(value, m.OrderMessage),
    SIM_ORDERS: lambda value: m.decode(value, m.OrderSubmission | m.OrderCancel | m.ScheduleUpdate),
    FEEDBACK: lambda value: m.decode(value, m.Feedback),
    CONTROL: lambda value: m.decode(value, m.ControlCommand),
    ALERTS: lambda value: m.decode(value, m.Alert),
    EVENTS: lambda value: m.decode(value, m.SystemEvent),
    INTEREST: lambda value: m.decode(value, m.InterestUpdate),
    SCHEDULE: lambda value: m.decode(value, m.ScheduleUpdate),
    SNAPSHOTS: lambda value: m.decode(value, m.Snapshot),
    HALTS: lambda value: m.decode(value, m.ExchangeHalts | m.Claim),
}
TABLES = {
    changelog(app, table): table
    for app, table in ((NODE_APP, PORTFOLIOS), (NODE_APP, WINDOWS), (LIVECORE_APP, GATEWAY), (LIVECORE_APP, EXCHANGE))
}
KINDS = {m.Ticks, m.ControlCommand, m.Alert, m.Snapshot}


def _add_kinds(of: type[m.Message]) -> None:
    for kind in of.__subclasses__():
        _add_kinds(kind)
        if not kind.__name__.startswith("_"):
            KINDS.add(kind)


_add_kinds(m.Message)
VALUES = {
    "portfolios <id>", "portfolios slot", "portfolios claim", "windows c<number>", "windows clock", "windows claim",
    "exchange o:<id>", "exchange c:<id>", "exchange clock", "exchange halts", "exchange slot", "exchange claim",
    "gateway halts", "gateway slot", "gateway claim",
}  # fmt: skip
"""Every kind of table value, as `_kind` calls them."""

NEW_KIND = "add it to tests/scenarios/recording.py and record this release: python -m tests.scenarios.recording VERSION"


def records(pipeline: Pipeline) -> Iterator[tuple[str, bytes, bytes]]:
    for topic, partitions in pipeline.broker.partitions.items():
        for log in partitions:
            for key, value in log:
                yield topic, key, value


def _kind(table: str, key: bytes) -> str:
    text = key.decode().removeprefix("\0")
    found = re.sub(r"^c\d\d$", "c<number>", text)
    found = re.sub(r"^(o:|c:|).*[0-9].*$", r"\1<id>", found)
    return f"{table} {found}"


@pytest.mark.parametrize("release", RELEASES)
def test_s8_5_state_of_an_earlier_release_when_this_one_takes_over_then_it_is_what_it_was_and_books_agree(release: str) -> None:
    pipeline, recorded = load(release)
    for place in list(pipeline.processes):
        pipeline.start(place)
    assert recovered(pipeline) == recorded
    sequel(pipeline)
    report = pipeline.audit()
    assert report.ok, report
    assert report.fills > sum(portfolio["fills"] for portfolio in recorded.values())
    assert pipeline.dead() == []


@pytest.mark.parametrize("release", RELEASES)
def test_message_of_an_earlier_release_when_read_then_it_says_what_it_said(release: str) -> None:
    pipeline, _ = load(release)
    for topic, _, value in records(pipeline):
        if topic in TABLES:
            continue
        read = READERS[topic](value)
        if isinstance(read, m.Ticks):
            assert len(read.quotes()) == len(read.codes)
            continue
        again = msgspec.to_builtins(read[0] if isinstance(read, list) and not value.startswith(b"[") else read)
        assert contains(again, msgspec.json.decode(value)), topic


def contains(more: Any, less: Any) -> bool:
    """Whether all of `less` is in `more`, which may have fields of later releases."""
    if isinstance(less, dict):
        return all(key in more and contains(more[key], value) for key, value in less.items())
    if isinstance(less, list):
        return len(more) == len(less) and all(map(contains, more, less))
    return bool(more == less)


def test_kinds_of_messages_and_values_when_there_is_a_new_one_then_a_release_with_it_is_recorded() -> None:
    messages: set[Any] = set()
    values: set[str] = set()
    for release in RELEASES:
        pipeline, _ = load(release)
        for topic, key, value in records(pipeline):
            if topic in TABLES:
                values.add(_kind(TABLES[topic], key))
            else:
                read = READERS[topic](value)
                messages |= {type(each) for each in (read if isinstance(read, list) else [read])}
    assert KINDS - messages == set(), NEW_KIND
    assert values - VALUES == set(), "name it in VALUES"
    assert VALUES - values == set(), NEW_KIND


@pytest.mark.parametrize("topic", READERS)
def test_message_of_a_later_release_when_read_then_it_is_refused_by_its_version(topic: str) -> None:
    pipeline, _ = load(RELEASES[-1])
    value = next(value for found, _, value in records(pipeline) if found == topic)
    newer = value.replace(b'"_v":1', b'"_v":2') if topic != TICKS else m.encode_ticks(later(m.decode_ticks(value)))
    assert newer != value
    with pytest.raises(m.BadMessage, match="version"):
        READERS[topic](newer)


def later(ticks: m.Ticks) -> m.Ticks:
    return msgspec.structs.replace(ticks, v=2)


def test_prices_of_a_later_release_when_among_others_then_they_alone_are_left_out() -> None:
    pipeline, _ = load(RELEASES[-1])
    value = next(value for topic, _, value in records(pipeline) if topic == MARKET_DATA and value.count(b'"_v":1') == 2)
    market, wrong = market_data.decode(value.replace(b'"_v":1', b'"_v":2', 1))
    assert market is not None
    assert market.quotes is not None
    assert len(market.quotes.codes) == 1
    assert "version" in str(wrong)


@pytest.mark.parametrize("topic", TABLES)
def test_value_of_a_later_release_when_recovered_then_it_is_refused_and_stays_in_the_log(topic: str) -> None:
    pipeline, _ = load(RELEASES[-1])
    partition, log = next((number, log) for number, log in enumerate(pipeline.broker.partitions[topic]) if log)
    key, value = log[-1]
    found = unseal(value)
    sealed = msgspec.msgpack.encode(msgspec.structs.replace(found, v=envelope.VERSION + 1, seq=found.seq + 1))
    log.append((key, sealed))
    before = list(log)
    place = {PORTFOLIOS: "portfolios", WINDOWS: "portfolios", GATEWAY: "gateway", EXCHANGE: "exchange"}[TABLES[topic]]
    with pytest.raises(envelope.LaterVersion, match=r"a value of version 2 .*upgrade this process"):
        pipeline.start((place, partition))
    assert log[: len(before)] == before
