"""A machine whose clock is another than the others' says so."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from ginkgo_streams.apps import heartbeat as heartbeats
from ginkgo_streams.apps.heartbeat import Heartbeat
from ginkgo_streams.apps.load import Trouble
from ginkgo_streams.apps.skew import LOOKS, Skew
from ginkgo_streams.config import Settings
from ginkgo_streams.local.databases import Redis


def looks(skew: Skew, ahead: float, trip: float = 0.01, times: int = LOOKS) -> list[Trouble]:
    return [found for _ in range(times) if (found := skew.look(100 + ahead, 100 + trip / 2, 100 + ahead + trip)) is not None]


@pytest.mark.parametrize(
    ("ahead", "severity"), [(0.9, None), (-0.9, None), (1.1, "warning"), (-4.9, "warning"), (5.1, "critical"), (-60.0, "critical")]
)
def test_s3_8_s5_10_clock_when_more_than_1_or_5_seconds_off_then_an_alert_says_how_far(ahead: float, severity: str | None) -> None:
    found = looks(Skew(), ahead)
    assert [(trouble.alert_type, trouble.severity) for trouble in found] == ([("clock_skew", severity)] if severity else [])
    if found:
        assert found[0].details["skew_s"] == pytest.approx(ahead, abs=0.01)
        assert ("ahead" if ahead > 0 else "behind") in found[0].text


def test_clock_when_the_answer_was_slow_then_what_the_way_explains_is_not_counted() -> None:
    assert looks(Skew(), 1.5, trip=1.2) == []
    assert len(looks(Skew(), 1.5, trip=0.8)) == 1


def test_clock_when_off_once_only_then_nothing_is_said_and_when_it_stays_off_once() -> None:
    skew = Skew()
    assert [looks(skew, ahead, times=1) for ahead in (9.0, 0.0, 9.0, 0.0)] == [[], [], [], []]
    assert len(looks(skew, 9.0, times=10)) == 1


def test_node_whose_clock_is_six_seconds_ahead_of_redis_then_it_raises_a_critical_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Redis(tmp_path / "redis")
    server.start()
    settings = Settings.model_validate({"redis": {"host": "127.0.0.1", "port": server.port}, "database": {"url": "sqlite://"}})
    monkeypatch.setattr(heartbeats, "INTERVAL_S", 0.01)
    real = time.time
    raised: list[Trouble] = []

    async def beat() -> None:
        there = asyncio.Event()

        async def warn(trouble: Trouble) -> None:
            raised.append(trouble)
            there.set()

        node = Heartbeat(settings, lambda: [], warn)
        monkeypatch.setattr(time, "time", lambda: real() + 6)
        node.start()
        async with asyncio.timeout(30):
            await there.wait()
        await node.stop()

    try:
        asyncio.run(beat())
    finally:
        server.stop()
    assert [(trouble.alert_type, trouble.severity) for trouble in raised] == [("clock_skew", "critical")]
    assert 5.5 < raised[0].details["skew_s"] < 6.5
