"""A node that has too much to do says so: events that wait, processor, memory; once, and not for a moment's peak."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from ginkgo_streams.apps.load import LOAD_LOOKS, QUEUE, QUEUE_LOOKS, Gauge, Gauges, Trouble, waiting
from ginkgo_streams.engine import internals

GB = 1 << 30


def look(gauges: Gauges, events: dict[int, int] | None = None, cpu: float = 0.0, memory: int = 0, times: int = 1) -> list[Trouble]:
    return [trouble for _ in range(times) for trouble in gauges.look(events or {}, lambda slot: [f"portfolio-{slot}"], cpu, memory)]


def test_s5_6_lag_when_above_1000_then_a_critical_alert_names_the_slot_and_its_portfolios() -> None:
    gauges = Gauges()
    (alert,) = look(gauges, {3: 1001, 4: 10}, times=QUEUE_LOOKS)
    assert (alert.alert_type, alert.severity) == ("queue_full", "critical")
    assert alert.details == {"slot": 3, "portfolio_ids": ["portfolio-3"], "queue_size": 1001, "queue_max": 1000}
    assert look(gauges, {3: 5000, 4: 10}, times=10) == []


@pytest.mark.parametrize(("events", "severity"), [(699, None), (700, "warning"), (949, "warning"), (950, "critical")])
def test_s3_7_queue_when_70_or_95_percent_full_then_the_alert_has_that_severity(events: int, severity: str | None) -> None:
    assert [alert.severity for alert in look(Gauges(), {0: events}, times=QUEUE_LOOKS)] == ([severity] if severity else [])


def test_s3_7_queue_when_it_gets_worse_then_there_is_a_second_alert_and_after_it_was_empty_a_new_one() -> None:
    gauges = Gauges()
    assert [alert.severity for alert in look(gauges, {0: 800}, times=3)] == ["warning"]
    assert [alert.severity for alert in look(gauges, {0: 990}, times=3)] == ["critical"]
    assert look(gauges, {0: 800}, times=3) == []
    assert look(gauges, {0: 0}, times=3) == []
    assert [alert.severity for alert in look(gauges, {0: 800}, times=3)] == ["warning"]


def test_queue_when_full_for_one_look_only_then_nothing_is_said() -> None:
    gauges = Gauges()
    for events in (1000, 0) * 5:
        assert look(gauges, {0: events}) == []


def test_slot_when_it_has_gone_and_come_back_then_it_is_looked_at_anew() -> None:
    gauges = Gauges()
    assert len(look(gauges, {0: 990}, times=QUEUE_LOOKS)) == 1
    look(gauges, {})
    assert len(look(gauges, {0: 990}, times=QUEUE_LOOKS)) == 1


def test_s3_7_processor_and_memory_when_high_for_10_looks_then_an_alert_each() -> None:
    gauges = Gauges()
    assert look(gauges, cpu=0.95, memory=2 * GB, times=LOAD_LOOKS - 1) == []
    found = look(gauges, cpu=0.95, memory=2 * GB)
    assert [(alert.alert_type, alert.details["resource"]) for alert in found] == [("resource_high", "cpu"), ("resource_high", "memory")]
    assert look(gauges, cpu=0.95, memory=2 * GB, times=2 * LOAD_LOOKS) == []


def test_gauge_when_it_falls_to_the_lower_level_then_it_does_not_rise() -> None:
    gauge = Gauge(QUEUE, 1)
    assert [gauge.rises(value) for value in (990, 800, 0, 800, 990)] == [True, False, False, True, True]


def test_waiting_when_inputs_lie_in_kafka_then_those_not_taken_are_counted_over_all_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = {TP("ticks", 3): 1_500, TP("orders", 3): 10, TP("ticks", 4): 7}
    monkeypatch.setattr(internals, "highwater", lambda app, tp: ends.get(tp))
    slots = {3: SimpleNamespace(delivered={"ticks": 499}), 4: SimpleNamespace(delivered={"ticks": 6, "orders": -1})}
    runner: Any = SimpleNamespace(slots=slots, inputs=("ticks", "orders"))
    assert waiting(None, runner) == {3: 1_000 + 10, 4: 0}
