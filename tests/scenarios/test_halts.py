"""Scenarios 4.1, 4.2 and 8.2: the kill switch, through the bytes of every topic."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.halts import ENGINE
from ginkgo_streams.topics import CONTROL, HALTS, SIM_ORDERS
from tests.scenarios.harness import CHINEXT, CODE, OTHER, OTHER_PID, PID, Pipeline, config, held, opened, price, script, slot_of
from tests.scenarios.script import FRIDAY
from tests.scenarios.switch import board, change, confirmed, outcomes, start, stop

logging.getLogger("ginkgo.livecore").setLevel(logging.ERROR)  # each change of the switch is a warning
CODES = (CODE, OTHER)
BUYS = {f"10:00:{second:02}": f"buy {CODE}, buy {OTHER}" for second in (3, 12, 21)}
OFTEN: dict[str, Any] = {"min_signal_interval": 0, "volume": 300}


def trading(plan: dict[str, str] | None = None) -> Pipeline:
    """Two portfolios in two slots with two open orders each, in two partitions of codes: nothing has traded."""
    pipeline = opened(config(params=script(plan or BUYS), **OFTEN))
    pipeline.create(config(params=script(plan or BUYS), **OFTEN), OTHER_PID)
    tick(pipeline, "10:00:03", volume=0)
    assert len(pipeline.orders()) == 4
    return pipeline


def tick(pipeline: Pipeline, time: str, **others: Any) -> None:
    """Both codes at 10.00."""
    pipeline.send(*(price(time, 10.0, code, **others) for code in CODES))


def frozen(pipeline: Pipeline) -> dict[str, tuple[float, int]]:
    """Portfolio to its frozen cash and its open orders."""
    return {pid: ((s := pipeline.snapshot(pid)).frozen, len(s.open_orders)) for pid in (PID, OTHER_PID)}


def test_s4_2_engine_stop_with_open_orders_then_each_is_cancelled_and_nothing_stays_frozen() -> None:
    pipeline = trading()
    command_id = stop(pipeline, reason="wrong prices")
    assert confirmed(pipeline, command_id)
    assert list(outcomes(pipeline).values()) == [["order_ack", "order_cancelled"]] * 4
    assert frozen(pipeline) == {PID: (0, 0), OTHER_PID: (0, 0)}
    newest = change(pipeline)
    assert (newest.active, newest.mode, newest.issued_by, newest.reason) == (True, "halt", "me", "wrong prices")
    assert board(pipeline).ended(ENGINE, newest.value) == 4
    assert pipeline.audit().ok


def test_s8_2_emergency_stop_then_no_order_of_anybody_trades_and_its_freeze_is_released() -> None:
    pipeline = trading()
    stop(pipeline)
    tick(pipeline, "10:00:12")
    tick(pipeline, "10:00:13")
    assert list(outcomes(pipeline).values())[4:] == [["order_rejected"]] * 4
    assert {report.reason_code for report in pipeline.reports() if isinstance(report, m.OrderRejected)} == {"halted"}
    assert frozen(pipeline) == {PID: (0, 0), OTHER_PID: (0, 0)}
    assert all(pipeline.snapshot(pid).positions == [] for pid in (PID, OTHER_PID))
    assert pipeline.audit().ok


def test_s4_1_engine_start_then_orders_are_taken_again_and_those_refused_before_stay_so() -> None:
    pipeline = trading()
    stop(pipeline)
    tick(pipeline, "10:00:12", volume=0)
    assert confirmed(pipeline, start(pipeline))
    tick(pipeline, "10:00:21", volume=0)
    tick(pipeline, "10:00:24")
    found = list(outcomes(pipeline).values())
    assert found[4:8] == [["order_rejected"]] * 4
    assert found[8:] == [["order_ack", "order_filled"]] * 4
    assert not change(pipeline).active
    assert pipeline.audit().ok


def test_s8_2_order_decided_before_the_stop_and_published_after_it_then_it_is_refused() -> None:
    pipeline = opened(config(params=script(BUYS), **OFTEN))
    node = pipeline.processes["portfolios", slot_of(PID)]
    tick(pipeline, "10:00:02")
    pipeline.clock("10:00:02", settle=False)
    pipeline.send(price("10:00:03", 10.0), settle=False, clock=False)
    exchange = pipeline.processes["exchange", 1]
    for process in (exchange, node):
        for topic in process.role.inputs:
            process.take(topic, process.waiting(topic))
        process.group()
    exchange.drain()
    for topic in node.role.inputs:
        node.take(topic, node.waiting(topic))
    node.group()  # decided, its cash is set aside; neither durable nor published
    assert len(pipeline.portfolio().open_orders) == 1
    assert pipeline.orders() == []
    del pipeline.processes["portfolios", slot_of(PID)]
    command_id = stop(pipeline)
    assert confirmed(pipeline, command_id)
    pipeline.processes["portfolios", slot_of(PID)] = node
    pipeline.settle()
    assert list(outcomes(pipeline).values()) == [["order_rejected"]]
    assert (pipeline.snapshot().frozen, pipeline.snapshot().open_orders) == (0, [])
    assert pipeline.audit().ok


def test_order_that_traded_before_the_stop_when_it_comes_again_then_its_reports_are_repeated_not_a_refusal() -> None:
    pipeline = trading()
    tick(pipeline, "10:00:06")
    stop(pipeline)
    pipeline.start(("portfolios", slot_of(PID)))
    for place in (("exchange", 0), ("exchange", 1)):  # their new owners make portfolios submit again
        pipeline.start(place)
    pipeline.settle()
    assert all(set(kinds) == {"order_ack", "order_filled"} for kinds in outcomes(pipeline).values())
    assert pipeline.audit().ok


def test_stop_of_a_portfolio_then_the_others_trade_on() -> None:
    pipeline = trading()
    assert confirmed(pipeline, stop(pipeline, PID), PID)
    tick(pipeline, "10:00:06")
    assert [pipeline.snapshot(pid).fills for pid in (PID, OTHER_PID)] == [0, 2]
    tick(pipeline, "10:00:12")
    tick(pipeline, "10:00:15")
    assert [pipeline.snapshot(pid).fills for pid in (PID, OTHER_PID)] == [0, 4]
    assert pipeline.audit().ok


def test_stop_of_a_code_then_other_codes_trade_on() -> None:
    pipeline = trading()
    assert confirmed(pipeline, stop(pipeline, CODE), CODE)
    tick(pipeline, "10:00:06")
    tick(pipeline, "10:00:12")
    tick(pipeline, "10:00:15")
    for pid in (PID, OTHER_PID):
        assert {position.code: position.volume for position in pipeline.snapshot(pid).positions} == {OTHER: 600}
    assert confirmed(pipeline, start(pipeline, CODE), CODE)
    tick(pipeline, "10:00:21")
    tick(pipeline, "10:00:24")
    assert {position.code for position in pipeline.snapshot().positions} == {CODE, OTHER}


def test_start_of_the_engine_while_a_portfolio_is_stopped_then_that_stays_stopped() -> None:
    pipeline = trading()
    stop(pipeline, PID)
    stop(pipeline)
    start(pipeline)
    tick(pipeline, "10:00:12", volume=0)
    tick(pipeline, "10:00:15")
    assert [pipeline.snapshot(pid).fills for pid in (PID, OTHER_PID)] == [0, 2]


def test_stop_that_reduces_then_sells_pass_and_buys_do_not() -> None:
    plan = {FRIDAY: f"buy {CODE}", "10:00:03": f"buy {OTHER}", "10:00:06": f"sell {CODE}, buy {OTHER}"}
    pipeline = held(config(params=script(plan), **OFTEN))
    pipeline.send(*(price("10:00:03", 10.0, code, volume=0, prev_close=10.0) for code in CODES))
    assert confirmed(pipeline, stop(pipeline, mode="reduce"))
    tick(pipeline, "10:00:06", prev_close=10.0)
    tick(pipeline, "10:00:09", prev_close=10.0)
    found = pipeline.snapshot()
    assert (found.positions, found.frozen, found.open_orders) == ([], 0, [])
    assert sorted(outcomes(pipeline).values()) == [
        ["order_ack", "order_cancelled"], ["order_ack", "order_filled"], ["order_ack", "order_filled"], ["order_rejected"],
    ]  # fmt: skip
    assert pipeline.audit().ok


def test_stop_that_reduces_ends_open_sells_too_so_that_nothing_is_open_when_it_answers() -> None:
    pipeline = held(config(params=script({FRIDAY: f"buy {CODE}", "10:00:03": f"sell {CODE}"}), **OFTEN))
    pipeline.send(price("10:00:03", 10.0, volume=0, prev_close=10.0))
    assert len(pipeline.snapshot().open_orders) == 1
    stop(pipeline, mode="reduce")
    found = pipeline.snapshot()
    assert (found.open_orders, found.positions[0].available_volume) == ([], 300)


def test_stop_in_a_call_auction_then_it_is_not_confirmed_and_names_what_is_open_until_the_auction_is_over() -> None:
    pipeline = opened(config(params=script({"14:56:58": f"buy {CODE}"})))
    pipeline.send(price("14:56:58", 10.0, volume=0))
    pipeline.clock("14:57:30")
    command_id = stop(pipeline)
    (order,) = pipeline.orders()
    assert not confirmed(pipeline, command_id)
    assert [each.order_id for each in board(pipeline).waiting(ENGINE)] == [order.order_id]
    assert [each.order_id for each in board(pipeline).waiting(CODE)] == [order.order_id]
    assert board(pipeline).waiting(OTHER_PID) == []
    pipeline.clock("15:00:01")
    assert pipeline.kinds(order.order_id) == ["order_ack", "order_expired"]
    assert confirmed(pipeline, command_id)
    assert pipeline.snapshot().frozen == 0


def test_stop_while_an_order_is_on_its_way_into_the_book_then_it_is_refused() -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"})), rules=ExchangeSettings(ack_delay_ms=5_000))
    pipeline.send(price("10:00:03", 10.0))
    (order,) = pipeline.orders()
    assert pipeline.kinds(order.order_id) == []
    assert confirmed(pipeline, stop(pipeline))
    assert pipeline.kinds(order.order_id) == ["order_rejected"]
    assert pipeline.snapshot().frozen == 0


def test_restart_of_everything_while_stopped_then_it_is_still_stopped_before_any_order_is_taken() -> None:
    pipeline = trading()
    stop(pipeline, reason="wrong prices")
    pipeline.checkpoint()
    for topic in (SIM_ORDERS, CONTROL):  # what made it stop has been deleted meanwhile
        for partition in pipeline.broker.partitions[topic]:
            partition[:] = [(key, b"gone") for key, _ in partition]
    for place in list(pipeline.processes):
        pipeline.start(place)
    pipeline.zombies.clear()
    tick(pipeline, "10:00:12")
    tick(pipeline, "10:00:15")
    assert list(outcomes(pipeline).values())[4:] == [["order_rejected"]] * 4
    newest = change(pipeline)
    assert (newest.active, newest.reason) == (True, "wrong prices")
    assert board(pipeline).unconfirmed(ENGINE, newest.value) == []


def test_stop_that_comes_again_after_the_start_then_it_has_no_effect() -> None:
    pipeline = trading()
    stop(pipeline)
    start(pipeline)
    for topic in (CONTROL, SIM_ORDERS):
        for partition in pipeline.broker.partitions[topic]:
            partition += [record for record in partition if b"engine" in record[0]]
    pipeline.settle()
    tick(pipeline, "10:00:12", volume=0)
    tick(pipeline, "10:00:15")
    assert list(outcomes(pipeline).values())[4:] == [["order_ack", "order_filled"]] * 4


@pytest.mark.parametrize("params", [{"mode": "panic"}, {"reason": 7}, {"mode": None}])
def test_engine_command_that_makes_no_sense_then_it_is_a_dead_letter_and_stops_nothing(params: dict[str, Any]) -> None:
    pipeline = trading()
    stop(pipeline, **params)
    ((topic, reason),) = pipeline.dead()
    assert topic == CONTROL
    assert next(iter(params)) in reason
    assert board(pipeline).change(ENGINE) is None
    tick(pipeline, "10:00:06")
    assert pipeline.snapshot().fills == 2


def test_confirmation_of_an_owner_that_was_fenced_then_it_does_not_count() -> None:
    pipeline = trading()
    old = pipeline.processes["exchange", 1]
    pipeline.start(("exchange", 1))
    new = pipeline.processes.pop(("exchange", 1))
    pipeline.settle()
    command_id = stop(pipeline)
    old.take(SIM_ORDERS, old.waiting(SIM_ORDERS))
    old.group()
    old.drain()
    assert pipeline.broker.log(HALTS, 0)[-1][0] == b"1"
    assert board(pipeline).unconfirmed(ENGINE, 1) == [1]
    assert not confirmed(pipeline, command_id)
    pipeline.processes["exchange", 1] = new
    pipeline.settle()
    assert confirmed(pipeline, command_id)


def test_portfolio_in_a_code_nobody_stopped_when_another_is_then_its_orders_are_untouched() -> None:
    pipeline = trading()
    stop(pipeline, CHINEXT)
    tick(pipeline, "10:00:06")
    assert list(outcomes(pipeline).values()) == [["order_ack", "order_filled"]] * 4
