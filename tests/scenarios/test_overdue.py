"""Scenarios 6.5, 6.7 and 9.9: what does not come in its time, and a clock that goes back, through the bytes of the topics."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.harness import CODE, OTHER, PID, Pipeline, config, opened, price, script, slot_of
from tests.unit.domain.market.shanghai import at, profile

BUY = {"10:00:03": f"buy {CODE}"}


def resting(**others: Any) -> Pipeline:
    """An order for 1,000 shares since 10:00:03, of which nothing fills: nothing is traded."""
    pipeline = opened(config(params=script(BUY), **others))
    pipeline.send(price("10:00:03", 10.0, volume=0))
    return pipeline


def test_s6_5_order_without_a_fill_for_30_seconds_is_cancelled_and_its_cash_released() -> None:
    pipeline = resting(order_timeout=30)
    (order,) = pipeline.orders()
    pipeline.clock("10:00:32")
    assert pipeline.kinds(order.order_id) == ["order_ack"]
    pipeline.clock("10:00:33")
    assert pipeline.kinds(order.order_id) == ["order_ack", "order_cancelled"]
    assert (pipeline.snapshot().frozen, pipeline.snapshot().open_orders) == (0, [])
    assert pipeline.audit().ok


def test_s6_5_time_counts_from_the_last_fill_and_what_has_filled_stays() -> None:
    pipeline = resting(order_timeout=30)
    pipeline.send(price("10:00:20", 10.0, volume=4_000))
    pipeline.clock("10:00:49")
    assert pipeline.kinds(pipeline.orders()[0].order_id)[-1] == "order_partially_filled"
    pipeline.clock("10:00:50")
    assert pipeline.kinds(pipeline.orders()[0].order_id)[-1] == "order_cancelled"
    assert pipeline.snapshot().positions[0].volume == 400
    assert pipeline.audit().ok


def test_s6_5_crash_before_the_cancel_is_out_does_not_lose_it() -> None:
    pipeline = resting(order_timeout=30)
    place = ("portfolios", slot_of(PID))
    pipeline.clock("10:00:33", settle=False)
    for (kind, _), process in pipeline.processes.items():
        if kind == "exchange":
            process.take("ginkgo.live.market.data", process.waiting("ginkgo.live.market.data"))
            process.group()
            process.drain()
    process = pipeline.processes[place]
    for topic in process.role.inputs:
        process.take(topic, process.waiting(topic))
    process.group()
    process.ack()  # durable, and not published
    pipeline.start(place)
    pipeline.settle()
    assert pipeline.kinds(pipeline.orders()[0].order_id)[-1] == "order_cancelled"
    assert pipeline.audit().ok


def test_s6_5_without_a_timeout_an_order_rests_until_the_day_ends() -> None:
    pipeline = resting()
    pipeline.clock("14:50:00")
    assert pipeline.kinds(pipeline.orders()[0].order_id) == ["order_ack"]
    pipeline.clock("15:00:01")
    assert pipeline.kinds(pipeline.orders()[0].order_id) == ["order_ack", "order_expired"]


def test_s6_7_code_that_is_silent_for_5_minutes_gives_one_alert() -> None:
    pipeline = opened(config(params=script({})))
    assert pipeline.alerts("data_silent") == []
    pipeline.send(price("10:02:00", 10.0))
    pipeline.clock("10:04:57")
    assert pipeline.alerts("data_silent") == []
    for time in ("10:04:58", "10:04:59", "10:05:30"):
        pipeline.clock(time)
    (alert,) = pipeline.alerts("data_silent")
    assert (alert.severity, alert.details) == ("warning", {"codes": [OTHER], "count": 1})
    assert alert.message.startswith(f"No price for 5 minutes of trading: {OTHER};")
    pipeline.send(price("10:05:31", 10.0, OTHER))
    pipeline.clock("10:06:59")
    assert len(pipeline.alerts("data_silent")) == 1
    pipeline.clock("10:07:01")
    assert sorted(each.details["codes"] for each in pipeline.alerts("data_silent")) == [[CODE], [OTHER]]


def test_s6_7_lunch_is_no_silence() -> None:
    pipeline = opened(config(params=script({})))
    pipeline.send(price("11:29:58", 10.0), price("11:29:58", 10.0, OTHER))
    before = len(pipeline.alerts("data_silent"))
    pipeline.clock("12:59:59")
    pipeline.send(price("13:00:03", 10.0), price("13:00:03", 10.0, OTHER))
    pipeline.clock("13:05:02")
    assert len(pipeline.alerts("data_silent")) == before
    pipeline.clock("13:05:04")
    assert len(pipeline.alerts("data_silent")) == before + 1


def test_s9_9_clock_that_goes_back_is_told_once_and_event_time_holds() -> None:
    pipeline = resting(order_timeout=30)
    pipeline.clock("10:00:20")
    for time in ("10:00:10", "10:00:11", "10:00:19"):
        pipeline.clock(time)
    alerts = [alert for alert in pipeline.alerts("data_anomaly") if "went back" in alert.message]
    assert len(alerts) == 1  # the two partitions say one thing
    assert alerts[0].details["from"] > alerts[0].details["to"]
    assert all(state.newest == at("2026-11-23T10:00:20") for state in pipeline.states() if state.portfolios)
    pipeline.send(price("10:00:02", 10.5), clock=False)  # older than the last: it does not count
    assert pipeline.snapshot().total_value == 100_000
    assert pipeline.kinds(pipeline.orders()[0].order_id) == ["order_ack"]
    pipeline.clock("10:00:33")
    assert pipeline.kinds(pipeline.orders()[0].order_id) == ["order_ack", "order_cancelled"]


@pytest.mark.parametrize(
    ("now", "span_s", "since"),
    [
        ("10:00:00", 60, "09:59:00"), ("09:30:30", 30, "09:30:00"), ("09:30:29", 30, None), ("13:00:30", 60, "11:29:30"),
        ("13:01:00", 60, "11:30:00"), ("13:01:01", 60, "13:00:01"), ("12:00:00", 60, "11:29:00"), ("15:30:00", 60, "14:56:00"),
        ("08:00:00", 60, None), ("2026-11-22T10:00:00", 60, None),
    ],
)  # fmt: skip
def test_trading_before_counts_continuous_trading_of_the_day_only(now: str, span_s: int, since: str | None) -> None:
    moment = at(now if "T" in now else f"2026-11-23T{now}")
    assert profile().trading_before(moment, span_s * 1_000) == (at(f"2026-11-23T{since}") if since else 0)
