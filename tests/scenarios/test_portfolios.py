"""Scenarios 2.1, 2.2, 2.6, 2.7, 2.10: the life of a portfolio by commands, through the bytes of the topics."""

from __future__ import annotations

import logging

import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.topics import CONTROL, INTEREST
from tests.scenarios.harness import CODE, OTHER, OTHER_PID, PID, Pipeline, config, held, opened, price, script, slot_of
from tests.scenarios.script import FRIDAY

BUY = {"10:00:03": f"buy {CODE}"}
NEIGHBOUR = "9f1c1f4e-5a0e-4b7e-8d5c-0a1b2c3d4e02"
"""A portfolio in the slot of PID."""


def interest(pipeline: Pipeline, slot: int) -> m.InterestUpdate:
    """What a slot last said it wants."""
    found = [m.decode(value, m.InterestUpdate) for key, value in pipeline.broker.log(INTEREST, 0) if key == str(slot).encode()]
    last = found[-1]
    assert isinstance(last, m.InterestUpdate)
    return last


def moves(pipeline: Pipeline) -> list[tuple[str, str]]:
    """The transitions on record."""
    return [(move["from"], move["to"]) for move in pipeline.snapshot().transitions]


def test_s2_1_created_portfolio_has_its_id_and_is_running_later() -> None:
    pipeline = Pipeline()
    pipeline.create(config(), start=False)
    snapshot = pipeline.snapshot()
    assert (snapshot.portfolio_id, snapshot.name, snapshot.status, snapshot.error) == (PID, f"name of {PID}", "created", "")
    assert (snapshot.initial_cash, snapshot.cash, snapshot.slot) == (100_000, 100_000, slot_of(PID))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.command("portfolio.start")
    assert pipeline.snapshot().status == "running"


def test_s2_2_start_gives_components_interest_and_a_state_on_record() -> None:
    pipeline = Pipeline()
    pipeline.create(config("TrendFollowStrategy", {"short_period": 5}, risks=[("LossLimitRisk", {})], codes=[OTHER, CODE]))
    snapshot = pipeline.snapshot()
    assert snapshot.config["strategy"] == {"name": "TrendFollowStrategy", "params": {"short_period": 5}}
    assert moves(pipeline) == [("created", "running")]
    assert snapshot.transitions[0]["reason"] == "command by me"
    update = interest(pipeline, slot_of(PID))
    assert (update.codes, update.portfolios, update.slot) == ([CODE, OTHER], 1, slot_of(PID))


def test_s2_2_interest_of_a_slot_is_what_its_portfolios_want_together() -> None:
    pipeline = Pipeline()
    pipeline.create(config(codes=[CODE]))
    pipeline.create(config(codes=[OTHER]), NEIGHBOUR)
    assert (interest(pipeline, slot_of(PID)).codes, interest(pipeline, slot_of(PID)).portfolios) == ([CODE, OTHER], 2)
    pipeline.start(("portfolios", slot_of(PID)))
    pipeline.settle()
    again = interest(pipeline, slot_of(PID))
    assert (again.codes, again.portfolios) == ([CODE, OTHER], 2)
    pipeline.send(price("10:00:03", 10.0), price("10:00:03", 10.0, OTHER))
    assert sorted(code for code, _ in pipeline.ticks(slot_of(PID))) == [CODE, OTHER]


def test_s2_6_stop_cancels_what_is_open_and_is_stopped_with_its_books_saved() -> None:
    pipeline = opened(config(params=script(BUY | {"10:00:12": f"buy {OTHER}"})))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price("10:00:06", 10.0, volume=4_000))
    pipeline.command("portfolio.stop", time="10:00:07")
    (order,) = pipeline.orders()
    assert pipeline.kinds(order.order_id) == ["order_ack", "order_partially_filled", "order_cancelled"]
    assert moves(pipeline) == [("created", "running"), ("running", "stopping"), ("stopping", "stopped")]
    pipeline.send(price("10:00:12", 10.0, OTHER))
    assert pipeline.orders() == [order]  # no new signal counts
    pipeline.start(("portfolios", slot_of(PID)))
    pipeline.settle()
    snapshot = pipeline.snapshot()
    assert (snapshot.status, snapshot.frozen, snapshot.positions[0].volume) == ("stopped", 0, 400)
    assert pipeline.audit().ok


def test_s2_6_fill_that_was_on_its_way_lands_before_the_stop_is_done() -> None:
    pipeline = opened(config(params=script(BUY)))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price("10:00:06", 10.0), settle=False)
    pipeline.command("portfolio.stop", time="10:00:06", settle=False)
    node, exchange = pipeline.processes["portfolios", slot_of(PID)], pipeline.processes["exchange", 1]
    node.take(CONTROL)
    node.group()
    node.drain()
    assert pipeline.snapshot().status == "stopping"
    assert exchange.waiting("ginkgo.live.market.data")
    pipeline.settle()
    assert pipeline.kinds(pipeline.orders()[0].order_id)[-1] == "order_filled"
    assert (pipeline.snapshot().status, pipeline.snapshot().positions[0].volume) == ("stopped", 1_000)
    assert pipeline.audit().ok


def test_s2_7_running_portfolio_is_not_deleted() -> None:
    pipeline = opened(config(params=script(BUY)))
    command = pipeline.command("portfolio.delete")
    (alert,) = pipeline.alerts("command_refused")
    assert alert.message == f"Command portfolio.delete for portfolio {PID} refused: it is running; stop it first"
    assert alert.details["command_id"] == command.command_id
    pipeline.send(price("10:00:03", 10.0))
    assert len(pipeline.orders()) == 1  # and it trades on


def test_s2_7_stopped_portfolio_is_deleted_and_nothing_of_it_is_wanted() -> None:
    pipeline = opened(config(params=script(BUY), codes=[CODE]))
    pipeline.command("portfolio.stop")
    pipeline.command("portfolio.delete")
    snapshot = pipeline.snapshot()
    assert (snapshot.status, snapshot.config) == ("deleted", {})
    assert interest(pipeline, slot_of(PID)).codes == []
    seen = pipeline.ticks(slot_of(PID))
    pipeline.send(price("10:00:03", 10.0))
    assert pipeline.ticks(slot_of(PID)) == seen
    assert pipeline.audit().ok


def test_s2_7_portfolio_that_holds_shares_is_not_deleted_unless_forced() -> None:
    pipeline = held(config(params=script({FRIDAY: f"buy {CODE}"})))
    pipeline.command("portfolio.stop")
    pipeline.command("portfolio.delete")
    assert pipeline.snapshot().status == "stopped"
    assert CODE in pipeline.alerts("command_refused")[0].message
    pipeline.command("portfolio.delete", force=True)
    assert pipeline.snapshot().status == "deleted"


def test_s2_10_strategy_that_raises_is_an_error_with_a_log_line_and_an_alert(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = opened(config(params=script({"10:00:03": "raise"})))
    for pid in (NEIGHBOUR, OTHER_PID):
        pipeline.create(config(params=script({"10:00:03": f"buy {CODE}"})), pid)
    with caplog.at_level(logging.INFO, "ginkgo.node"):
        pipeline.send(price("10:00:03", 10.0))
    why = pipeline.snapshot().error
    assert pipeline.snapshot().status == "error"
    assert why.startswith("ScriptStrategy raised ZeroDivisionError: the script says so (script.py, line ")
    assert why.endswith(f"), at the update of {CODE} of 2026-11-23 02:00:03 UTC")
    (alert,) = pipeline.alerts("portfolio_error")
    assert (alert.severity, alert.source) == ("critical", PID)
    assert why in alert.message
    assert any("error" in line and why in line for line in caplog.messages)
    assert {order.portfolio_id for order in pipeline.orders()} == {NEIGHBOUR, OTHER_PID}  # the others trade on
    assert pipeline.processes["portfolios", slot_of(PID)].dead == []


def test_s2_10_portfolio_in_error_is_taken_over_with_its_error_and_can_be_started() -> None:
    pipeline = opened(config(params=script({"10:00:03": "raise", "10:00:06": f"buy {CODE}"})))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.start(("portfolios", slot_of(PID)))
    pipeline.settle()
    assert (pipeline.snapshot().status, pipeline.snapshot().epoch) == ("error", pipeline.processes["portfolios", slot_of(PID)].epoch)
    pipeline.command("portfolio.start", time="10:00:04")
    pipeline.send(price("10:00:06", 10.0))
    assert (pipeline.snapshot().status, len(pipeline.orders())) == ("running", 1)
