"""Scenarios 1.1 to 1.15: from a tick to a settled fill, through the bytes of every topic."""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import UUID

import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.topics import FEEDBACK, INTEREST, SUBMISSION, changelog
from tests.scenarios.harness import (
    CHINEXT,
    CODE,
    OTHER,
    OTHER_PID,
    PID,
    Pipeline,
    config,
    held,
    opened,
    price,
    script,
    slot_of,
)  # fmt: skip
from tests.scenarios.script import FRIDAY, ts

TREND: tuple[str, Any] = ("TrendFollowStrategy", {"short_period": 1, "long_period": 2})
BUY = {"10:00:03": f"buy {CODE}"}
SECOND_PID = "9f1c1f4e-5a0e-4b7e-8d5c-0a1b2c3d4e02"
WANTED: dict[str, Any] = {
    "event_type": str, "_v": int, "timestamp": str, "order_id": str, "portfolio_id": str, "code": str, "direction": int, "volume": int,
    "order_type": str, "price": (int, float), "reason": str, "slot": int, "epoch": int,
}  # fmt: skip


def test_s1_1_tick_goes_to_who_wants_its_code_once_and_in_order() -> None:
    pipeline = Pipeline()
    pipeline.create(config(params=script({"10:00:08": f"buy {CODE}, buy {OTHER}"}), codes=[CODE]))
    pipeline.create(config(params=script({"10:00:08": f"buy {CODE}, buy {OTHER}"}), codes=[OTHER]), OTHER_PID)
    for second in range(10):
        pipeline.send(*(price(f"10:00:0{second}", 10.0, code) for code in (CODE, OTHER, CHINEXT)))
    times = [ts(f"10:00:0{second}") for second in range(10)]
    assert pipeline.ticks(slot_of(PID)) == [(CODE, time) for time in times]
    assert pipeline.ticks(slot_of(OTHER_PID)) == [(OTHER, time) for time in times]
    assert {(order.portfolio_id, order.code) for order in pipeline.orders()} == {(PID, CODE), (OTHER_PID, OTHER)}


def test_s1_1_portfolios_of_one_slot_see_only_what_each_watches() -> None:
    pipeline = Pipeline()
    pipeline.create(config(params=script({"10:00:03": f"buy {CODE}, buy {OTHER}"}), codes=[CODE]))
    pipeline.create(config(params=script({"10:00:03": f"buy {CODE}, buy {OTHER}"}), codes=[OTHER]), SECOND_PID)
    assert slot_of(SECOND_PID) == slot_of(PID)
    pipeline.send(price("10:00:03", 10.0), price("10:00:03", 10.0, OTHER))
    assert sorted((order.portfolio_id, order.code) for order in pipeline.orders()) == [(PID, CODE), (SECOND_PID, OTHER)]


def test_s1_2_cross_gives_a_signal_that_is_sized_and_risked() -> None:
    risks = [("PositionRatioRisk", {"max_position_ratio": 0.2})]
    pipeline = opened(config(*TREND, risks=risks, sizer={"name": "FixedAmountSizer", "params": {"amount": 30_000}}))
    pipeline.send(price("10:00:00", 9.9))
    assert pipeline.orders() == []
    pipeline.send(price("10:00:03", 10.0))
    (order,) = pipeline.orders()
    assert (order.code, order.direction, order.price) == (CODE, 1, 10.1)  # 101 % of the price
    assert order.volume == 1_900  # 2,900 shares for 30,000 CNY, cut to 20 % of 100,000 CNY
    (alert,) = pipeline.alerts("risk_triggered")
    assert "cut 2900 to 1900" in alert.message


def test_s1_3_order_on_the_topic_has_the_fields_of_the_contract() -> None:
    pipeline = opened(config(params=script(BUY)))
    pipeline.send(price("10:00:03", 10.0))
    (raw,) = [json.loads(value) for value in pipeline.broker.values(SUBMISSION) if b"order_submission" in value]
    assert {name: type(raw[name]) for name in raw if not isinstance(raw[name], WANTED[name])} == {}
    assert set(raw) == set(WANTED)
    assert (raw["event_type"], raw["_v"], raw["order_type"]) == ("order_submission", 1, "limit")
    assert (raw["portfolio_id"], raw["timestamp"], raw["reason"]) == (PID, "2026-11-23T02:00:03.000Z", "ScriptStrategy: planned")
    assert str(UUID(raw["order_id"])) == raw["order_id"]
    ((key, _),) = [entry for entry in pipeline.broker.log(SUBMISSION, slot_of(PID)) if b"order_submission" in entry[1]]
    assert key == PID.encode()


def test_s1_3_order_submitted_again_by_a_new_owner_is_one_order() -> None:
    pipeline = opened(config(params=script(BUY)))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.start(("portfolios", slot_of(PID)))
    pipeline.settle()
    first, again = pipeline.orders()
    assert again.epoch > first.epoch
    assert {name: value for name, value in _fields(again).items() if name != "epoch"} == {
        name: value for name, value in _fields(first).items() if name != "epoch"
    }
    pipeline.send(price("10:00:06", 10.0))
    assert set(pipeline.kinds(first.order_id)) == {"order_ack", "order_filled"}
    assert pipeline.snapshot().positions[0].volume == 1_000
    report = pipeline.audit()
    assert (report.ok, report.orders, report.fills) == (True, 1, 1)


def _fields(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(m.encode(message))
    return found


def bought_in_part() -> Pipeline:
    """1,000 shares ordered at 10.50, of which 400 are filled."""
    pipeline = opened(config(params=script(BUY)))
    pipeline.send(price("10:00:03", 10.5))
    pipeline.send(price("10:00:06", 10.5, volume=4_000))
    return pipeline


def test_s1_4_partial_fill_moves_volume_cost_and_cash() -> None:
    pipeline = bought_in_part()
    (order,) = pipeline.orders()
    fill = pipeline.reports()[-1]
    assert isinstance(fill, m.OrderPartiallyFilled)
    assert (fill.filled_volume, fill.cumulative_volume, fill.remaining_volume) == (400, 400, 600)
    assert (fill.filled_price, fill.filled_amount, fill.commission, fill.stamp_duty, fill.transfer_fee) == (10.5, 4_200, 5, 0, 0.042)
    snapshot = pipeline.snapshot()
    (position,) = snapshot.positions
    assert (position.volume, position.available_volume, position.cost_price) == (400, 0, 10.5)
    assert snapshot.open_orders[0]["status"] == "partially_filled"
    assert snapshot.open_orders[0]["filled_volume"] == 400
    frozen = 600 * order.price + 600 * order.price * 0.00001 if order.price else 0  # the minimum commission is paid already
    assert snapshot.frozen == pytest.approx(frozen, abs=0.0001)
    assert snapshot.cash + snapshot.frozen == pytest.approx(100_000 - 4_200 - 5.042, abs=1e-9)
    assert pipeline.audit().ok


def test_s1_5a_rest_fills_and_the_final_numbers_are_the_worked_case() -> None:
    pipeline = bought_in_part()
    pipeline.send(price("10:00:09", 10.5))
    assert pipeline.kinds(pipeline.orders()[0].order_id) == ["order_ack", "order_partially_filled", "order_filled"]
    snapshot = pipeline.snapshot()
    assert snapshot.cash == 100_000 - 10_505.105  # trading.md: buy 1000 @ 10.50 costs 10,505.105
    assert (snapshot.frozen, snapshot.open_orders, snapshot.positions[0].volume) == (0, [], 1_000)
    report = pipeline.audit()
    assert (report.ok, report.orders, report.fills, report.open) == (True, 1, 2, 0)


def test_s1_5a_sale_of_the_worked_case_nets_what_it_says() -> None:
    pipeline = held(config(params=script({FRIDAY: f"buy {CODE}", "10:00:03": f"sell {CODE}"})))
    before = pipeline.snapshot().cash
    pipeline.send(price("10:00:03", 10.99))
    pipeline.send(price("10:00:06", 11.0))
    snapshot = pipeline.snapshot()
    assert snapshot.positions == []
    assert snapshot.cash - before == pytest.approx(10_989.39, abs=1e-9)  # trading.md: sell 1000 @ 11.00 nets 10,989.39
    assert pipeline.audit().ok


def test_s1_6a_rejected_order_keeps_the_reason_and_moves_nothing() -> None:
    pipeline = opened(config(params=script(BUY)), rules=ExchangeSettings(reject_rate=1.0))
    pipeline.send(price("10:00:03", 10.0))
    (report,) = pipeline.reports()
    assert isinstance(report, m.OrderRejected)
    assert report.reason_code == "random_reject"
    (closed,) = pipeline.portfolio().closed_orders
    assert (closed.status, closed.reason) == ("rejected", f"random_reject: {report.message}")
    snapshot = pipeline.snapshot()
    assert (snapshot.cash, snapshot.frozen, snapshot.positions, snapshot.open_orders) == (100_000, 0, [], [])
    (alert,) = pipeline.alerts("order_rejected")
    assert alert.details["reason_code"] == "random_reject"
    assert pipeline.audit().ok


def test_reports_that_a_failed_line_holds_back_then_are_booked_whole_when_it_is_back() -> None:
    pipeline = opened(config(params=script(BUY)), rules=ExchangeSettings(disconnect_rate=1.0))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price("10:00:06", 10.0))
    assert pipeline.reports() == []
    (waiting,) = pipeline.portfolio().open_orders.values()
    assert (waiting.status, waiting.filled) == ("submitted", 0)
    pipeline.clock("10:00:20")
    assert [type(report) for report in pipeline.reports()] == [m.OrderAck, m.OrderFilled]
    assert [position.volume for position in pipeline.snapshot().positions] == [waiting.volume]
    assert pipeline.audit().ok


def test_s1_7a_live_order_is_cancelled_by_command_and_its_part_is_kept() -> None:
    pipeline = bought_in_part()
    (order,) = pipeline.orders()
    pipeline.command("order.cancel", time="10:00:07", order_id=order.order_id)
    assert [type(each) for each in pipeline.submitted() if not isinstance(each, m.Claim)] == [m.OrderSubmission, m.OrderCancel]
    assert pipeline.kinds(order.order_id) == ["order_ack", "order_partially_filled", "order_cancelled"]
    pipeline.send(price("10:00:09", 10.5))
    assert pipeline.snapshot().positions[0].volume == 400
    assert pipeline.portfolio().closed_orders[0].status == "cancelled"
    assert pipeline.audit().ok


def test_s1_8a_close_settles_the_day(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = opened(config(params=script(BUY)))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price("10:00:06", 10.0))
    pipeline.send(price("14:59:57", 10.4))
    assert pipeline.snapshot().positions[0].available_volume == 0
    with caplog.at_level(logging.INFO, "ginkgo.node"):
        pipeline.clock("15:00:00")
    snapshot = pipeline.snapshot()
    (row,) = snapshot.history
    assert (row["date"], row["daily_pnl"], row["total_value"], row["position_count"]) == ("2026-11-23", 394.9, 100_394.9, 1)
    assert snapshot.positions[0].available_volume == 1_000
    assert f"Day end 2026-11-23: cash={row['cash']:.2f}, total_value=100394.90, daily_pnl=394.90, positions=1" in caplog.messages
    pipeline.start(("portfolios", slot_of(PID)))  # saved: what was durable behind the close has it all
    pipeline.settle()
    assert pipeline.snapshot().history == [row]


def test_s1_8a_order_open_at_the_close_expires_and_releases_its_cash() -> None:
    pipeline = opened(config(params=script(BUY)))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price("10:00:06", 10.2))  # above the limit of 10.10: no fill
    assert pipeline.snapshot().frozen > 0
    pipeline.clock("15:00:01")
    assert pipeline.kinds(pipeline.orders()[0].order_id) == ["order_ack", "order_expired"]
    assert (pipeline.snapshot().cash, pipeline.snapshot().frozen) == (100_000, 0)
    assert pipeline.audit().ok


def test_s1_8a_row_of_the_day_has_what_is_reported_just_behind_the_clock_that_ended_it() -> None:
    pipeline = opened(config(params=script({"14:56:03": f"buy {CODE}, buy {OTHER}"})))
    pipeline.send(price("14:56:03", 10.0), price("14:56:03", 10.0, OTHER))
    pipeline.send(price("14:56:06", 10.0), settle=False)  # CODE fills, OTHER expires
    pipeline.clock("15:00:01", settle=False)
    pipeline.settle()  # ticks and clock are read before the reports
    assert {pipeline.kinds(order.order_id)[-1] for order in pipeline.orders()} == {"order_filled", "order_expired"}
    (row,) = pipeline.snapshot().history
    assert (row["cash"], row["total_value"], row["position_count"]) == (89_994.9, 99_994.9, 1)


def test_s1_8a_days_of_the_past_are_settled_for_a_portfolio_that_was_made_today() -> None:
    pipeline = Pipeline()
    pipeline.create(config(params=script(BUY)), time="2026-11-26T09:00:00")
    for time in ("09:59:57", "10:00:03", "10:00:06"):
        pipeline.send(price(time, 10.0, prev_close=10.0))
    assert pipeline.snapshot().positions[0].available_volume == 0
    pipeline.clock("15:00:01")
    pipeline.send(price("2026-11-24T10:00:00", 10.0))
    pipeline.clock("2026-11-24T15:00:01")
    assert [row["date"] for row in pipeline.snapshot().history] == ["2026-11-23", "2026-11-24"]


def test_s1_5_rule_met_gives_an_order_through_risk_and_sizer() -> None:
    pipeline = opened(config(params=script(BUY), volume=5_000, risks=[("PositionRatioRisk", {"max_position_ratio": 0.3})]))
    pipeline.send(price("10:00:03", 10.0))
    assert [(order.code, order.volume) for order in pipeline.orders()] == [(CODE, 2_900)]


def test_s1_6_golden_cross_is_a_long_with_its_reason() -> None:
    pipeline = opened(config(*TREND))
    pipeline.send(price("10:00:00", 9.9))
    pipeline.send(price("10:00:03", 10.0))
    assert [(order.direction, order.reason) for order in pipeline.orders()] == [(1, "TrendFollowStrategy: golden cross 1/2")]


def test_s1_7_death_cross_is_a_short_of_the_position_and_no_more() -> None:
    pipeline = Pipeline()
    pipeline.create(config(*TREND, volume=700), time="2026-11-20T09:00:00")
    for second, cny in enumerate((10.0, 9.9, 10.0, 10.05)):
        pipeline.send(price(f"2026-11-20T10:00:0{second}", cny, prev_close=10.0))
    pipeline.clock("2026-11-20T15:00:00")
    pipeline.send(price("10:00:00", 10.0, prev_close=10.05))
    bought, sold = pipeline.orders()
    assert (sold.direction, sold.volume, sold.reason) == (-1, 700, "TrendFollowStrategy: death cross 1/2")
    pipeline.send(price("10:00:03", 10.1), price("10:00:06", 10.0))
    assert pipeline.orders() == [bought, sold]  # nothing is left to sell
    assert pipeline.audit().ok


def test_s1_7_shares_bought_today_stay() -> None:
    pipeline = held(config(params=script({FRIDAY: f"buy {CODE}", "10:00:03": f"buy {CODE}", "10:01:09": f"sell {CODE}"})))
    pipeline.send(price("10:00:03", 10.0), price("10:00:06", 10.0))
    pipeline.send(price("10:01:09", 10.0))
    assert pipeline.portfolio().ledger.positions[CODE].volume == 2_000
    assert [(order.direction, order.volume) for order in pipeline.orders()] == [(1, 1_000), (1, 1_000), (-1, 1_000)]


def test_s1_8_opposing_signals_of_a_code_the_sell_stands(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = held(config(params=script({FRIDAY: f"buy {CODE}", "10:00:03": f"buy {CODE}, sell {CODE}"})))
    with caplog.at_level(logging.DEBUG, "ginkgo.node"):
        pipeline.send(price("10:00:03", 10.0))
    assert [order.direction for order in pipeline.orders()] == [1, -1]
    assert pipeline.portfolio().drops == {"sell_stands": 1}
    assert f"Signal dropped: BUY {CODE}, sell_stands" in caplog.messages


def test_s1_8_risk_wins_over_the_strategy() -> None:
    plan = script({FRIDAY: f"buy {CODE}", "10:00:03": f"buy {CODE}"})
    pipeline = held(config(params=plan, risks=[("LossLimitRisk", {"loss_limit": 5})]))
    pipeline.send(price("10:00:03", 9.4))
    assert [(order.direction, order.reason.split(":")[0]) for order in pipeline.orders()] == [(1, "ScriptStrategy"), (-1, "LossLimitRisk")]
    assert pipeline.portfolio().drops == {"risk_overrides": 1}


def test_s1_9_flat_market_gives_nothing_and_changes_nothing() -> None:
    pipeline = opened(config(*TREND))
    pipeline.checkpoint()
    topics = [SUBMISSION, FEEDBACK, INTEREST, changelog("execution_node_group", "portfolios")]
    before = [list(pipeline.broker.values(topic)) for topic in topics]
    for second in range(10):
        pipeline.send(price(f"10:00:0{second}", 10.0))
    assert [list(pipeline.broker.values(topic)) for topic in topics] == before


def test_s1_10_order_over_the_limit_is_vetoed_logged_and_none_goes_out(caplog: pytest.LogCaptureFixture) -> None:
    plan = script({FRIDAY: f"buy {CODE}", "10:00:03": f"buy {CODE}"})
    pipeline = held(config(params=plan, volume=1_900, risks=[("PositionRatioRisk", {"max_position_ratio": 0.2})]))
    with caplog.at_level(logging.DEBUG, "ginkgo.node"):
        pipeline.send(price("10:00:03", 10.0))
    assert len(pipeline.orders()) == 1
    assert pipeline.portfolio().drops == {"risk:PositionRatioRisk": 1}
    (alert,) = pipeline.alerts("risk_triggered")
    assert "PositionRatioRisk blocked 1900" in alert.message
    assert f"Signal dropped: BUY {CODE}, risk:PositionRatioRisk" in caplog.messages


def test_s1_11_order_partly_over_the_limit_is_cut_to_it() -> None:
    pipeline = opened(config(params=script(BUY), volume=5_000, risks=[("PositionRatioRisk", {"max_position_ratio": 0.2})]))
    pipeline.send(price("10:00:03", 10.0))
    (order,) = pipeline.orders()
    assert order.volume == 1_900
    assert order.price is not None
    assert order.volume * order.price <= 20_000
    assert len(pipeline.alerts("risk_triggered")) == 1


@pytest.mark.parametrize(
    ("cny", "risk", "params"),
    [(8.9, "LossLimitRisk", {"loss_limit": 10}), (11.99, "ProfitTargetRisk", {"profit_target": 19})],
)
def test_s1_12_risk_signal_replaces_the_strategy_s(cny: float, risk: str, params: dict[str, float]) -> None:
    plan = script({FRIDAY: f"buy {CHINEXT}", "10:00:03": f"buy {CHINEXT}"})
    pipeline = held(config(params=plan, risks=[(risk, params)]), code=CHINEXT)
    pipeline.send(price("10:00:03", cny, CHINEXT))
    order = pipeline.orders()[-1]
    assert (order.direction, order.volume, order.reason.split(":")[0]) == (-1, 1_000, risk)
    assert any(alert.details["by"] == risk for alert in pipeline.alerts("risk_triggered"))


@pytest.mark.parametrize(
    ("time", "cny", "reason"), [("10:00:03", 11.5, "limits"), ("10:00:03", 8.0, "limits"), ("10:00:09", 10.0, "future")]
)
def test_s1_13_bad_price_is_ignored_with_an_alert(time: str, cny: float, reason: str) -> None:
    pipeline = opened(config(params=script({time: f"buy {CODE}"})))
    pipeline.clock("10:00:00")
    pipeline.send(price(time, cny), clock=False)
    assert pipeline.orders() == []
    assert [alert.details["reason"] for alert in pipeline.alerts("data_anomaly")] == [reason]
    assert pipeline.snapshot().status == "running"


def test_s1_13_new_level_is_taken_after_three_refusals_that_agree() -> None:
    pipeline = opened(config(params=script({"10:00:12": f"buy {CODE}"})))
    for second in (3, 6, 9, 12):
        pipeline.send(price(f"10:00:{second:02d}", 20.0))
    assert len(pipeline.alerts("data_anomaly")) == 3
    assert [order.timestamp for order in pipeline.orders()] == ["2026-11-23T02:00:12.000Z"]


def test_s1_14_signal_older_than_five_seconds_is_dropped() -> None:
    pipeline = opened(config(params=script(BUY, late=5_001)))
    pipeline.send(price("10:00:03", 10.0))
    assert pipeline.orders() == []
    assert pipeline.portfolio().drops == {"stale": 1}


def test_s1_14_backlog_after_a_pause_is_not_stale_because_a_clock_moved_on() -> None:
    pipeline = opened(config(params=script(BUY)))
    pipeline.send(price("10:00:03", 10.0), price("10:00:03", 10.0, OTHER), settle=False)
    pipeline.clock("10:30:00", settle=False)
    pipeline.settle()
    assert [order.code for order in pipeline.orders()] == [CODE]


def test_s1_15_burst_within_sixty_seconds_is_one_order_a_code() -> None:
    both = f"buy {CODE}, buy {OTHER}"
    pipeline = opened(config(params=script({"10:00:03": both, "10:00:33": both, "10:01:02": both, "10:01:03": both}), volume=100))
    for time in ("10:00:03", "10:00:33", "10:01:02", "10:01:03"):
        pipeline.send(price(time, 10.0), price(time, 10.0, OTHER))
    assert sorted((order.code, order.timestamp[11:19]) for order in pipeline.orders()) == [
        (CODE, "02:00:03"), (CODE, "02:01:03"), (OTHER, "02:00:03"), (OTHER, "02:01:03"),
    ]  # fmt: skip
    assert pipeline.portfolio().drops["too_soon"] == 4
