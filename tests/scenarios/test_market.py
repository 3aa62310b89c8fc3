"""Scenarios 9.3, 9.4, 9.5: limit moves, closed hours, nothing to sell, through the bytes of the topics."""

from __future__ import annotations

import pytest

from tests.scenarios.harness import CODE, PID, Pipeline, config, held, opened, price, script, slot_of
from tests.scenarios.script import FRIDAY


def refused(pipeline: Pipeline) -> dict[str, int]:
    """Updates that PID's slot did not take, by reason."""
    return list(pipeline.states())[slot_of(PID)].refused


@pytest.mark.parametrize(("cny", "words"), [(11.0, "limit up"), (9.0, "limit down")])
def test_s9_3_at_a_limit_nothing_is_opened_and_an_alert_says_so(cny: float, words: str) -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"})))
    pipeline.send(price("10:00:03", cny))
    assert pipeline.orders() == []
    assert pipeline.portfolio().drops == {"limit_move": 1}
    (alert,) = pipeline.alerts("risk_triggered")
    assert f"no position is opened: {CODE} is at {words}" in alert.message


def test_s9_3_what_is_held_is_closed_and_fills_once_somebody_buys() -> None:
    pipeline = held(config(params=script({FRIDAY: f"buy {CODE}"}), risks=[("LossLimitRisk", {"loss_limit": 8})]))
    pipeline.send(price("10:00:03", 9.0))
    sell = pipeline.orders()[-1]
    assert (sell.direction, sell.price) == (-1, 9.0)
    assert len(pipeline.alerts("risk_triggered")) == 1
    pipeline.send(price("10:00:06", 9.0))
    assert pipeline.kinds(sell.order_id) == ["order_ack"]  # at limit down nobody bids
    pipeline.send(price("10:00:09", 9.01))
    assert pipeline.kinds(sell.order_id) == ["order_ack", "order_filled"]
    assert pipeline.snapshot().positions == []
    assert pipeline.audit().ok


def test_s9_3_order_in_the_book_does_not_fill_at_limit_up() -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"})))
    pipeline.send(price("10:00:03", 10.95))
    (order,) = pipeline.orders()
    assert order.price == 11.0
    pipeline.send(price("10:00:06", 11.0))
    assert pipeline.kinds(order.order_id) == ["order_ack"]
    pipeline.send(price("10:00:09", 10.99))
    assert pipeline.kinds(order.order_id) == ["order_ack", "order_filled"]


def test_s9_3_price_beyond_the_limit_is_no_price() -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"})))
    pipeline.send(price("10:00:03", 11.01))
    assert refused(pipeline) == {"limits": 1}
    assert len(pipeline.alerts("data_anomaly")) == 1
    assert pipeline.portfolio().status == "running"


@pytest.mark.parametrize("time", ["2026-11-23T12:00:00", "2026-11-23T15:00:01", "2026-11-24T09:14:59", "2026-11-28T10:00:00"])
def test_s9_4_tick_in_closed_hours_is_dropped(time: str) -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}", time: f"buy {CODE}"})))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price(time, 9.9))
    (order,) = pipeline.orders()
    assert "order_filled" not in pipeline.kinds(order.order_id)
    assert refused(pipeline) == {"closed": 1}
    assert pipeline.alerts("data_anomaly") == []


@pytest.mark.parametrize("time", ["09:15:00", "11:30:00", "13:00:00", "15:00:00"])
def test_s9_4_tick_at_the_edge_of_a_session_counts(time: str) -> None:
    pipeline = Pipeline()
    pipeline.create(config(params=script({time: f"buy {CODE}"})))
    pipeline.send(price(time, 10.0, prev_close=10.0))
    assert len(pipeline.orders()) == 1


def test_s9_4_backlog_read_at_night_is_not_out_of_hours() -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"})))
    pipeline.send(price("10:00:03", 10.0), price("10:00:06", 10.0), settle=False)
    pipeline.clock("2026-11-23T22:00:00", settle=False)
    pipeline.settle()
    (order,) = pipeline.orders()
    assert order.timestamp == "2026-11-23T02:00:03.000Z"
    assert pipeline.audit().ok


def test_s9_5_sell_without_a_position_is_no_order() -> None:
    pipeline = opened(config(params=script({"10:00:03": f"sell {CODE}"})))
    pipeline.send(price("10:00:03", 10.0))
    assert pipeline.orders() == []
    assert pipeline.portfolio().drops == {"no_position": 1}


def test_s9_5_sell_of_shares_bought_today_is_no_order() -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}", "10:01:09": f"sell {CODE}"})))
    for time in ("10:00:03", "10:00:06", "10:01:09"):
        pipeline.send(price(time, 10.0))
    assert [order.direction for order in pipeline.orders()] == [1]
    assert pipeline.portfolio().drops == {"not_available": 1}
