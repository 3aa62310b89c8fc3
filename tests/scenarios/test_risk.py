"""Scenarios 6.1 to 6.4, 6.8 to 6.10, 6.12: risk, money, and events that come twice or late, through the bytes of the topics."""

from __future__ import annotations

from typing import Any

import pytest

from ginkgo_streams.topics import CONTROL, FEEDBACK, MARKET_DATA, SIM_ORDERS, SUBMISSION, TICKS
from tests.scenarios.harness import CODE, OTHER, OTHER_PID, PID, config, held, opened, price, script, slot_of
from tests.scenarios.script import FRIDAY

BUY = {"10:00:03": f"buy {CODE}"}


@pytest.mark.parametrize(("cash", "volume"), [(6_000, 500), (5_055.07, 500), (5_055.06, 400), (1_015, 0)])
def test_s6_1_little_cash_cuts_the_order_or_refuses_it(cash: float, volume: int) -> None:
    # 500 shares at the limit of 10.10 with fees: 5,050 + 5 + 0.0505 = 5,055.0505, and 0.01 is never spent
    pipeline = opened(config(params=script(BUY)), cash=cash)
    pipeline.send(price("10:00:03", 10.0))
    assert [order.volume for order in pipeline.orders()] == ([volume] if volume else [])
    assert pipeline.portfolio().drops == ({} if volume else {"cash": 1})
    pipeline.send(price("10:00:06", 10.1))
    assert pipeline.snapshot().cash >= 0
    assert pipeline.audit().ok


def test_s6_2_cap_of_a_fifth_cuts_the_order_and_counts_what_is_held() -> None:
    plan = script({FRIDAY: f"buy {CODE}", "10:00:03": f"buy {CODE}"})
    pipeline = held(config(params=plan, risks=[("PositionRatioRisk", {"max_position_ratio": 0.2})]))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price("10:00:06", 10.0))
    assert [order.volume for order in pipeline.orders()] == [1_000, 900]
    assert pipeline.snapshot().positions[0].market_value <= 0.2 * pipeline.snapshot().total_value


@pytest.mark.parametrize(("cny", "closes"), [(9.01, False), (9.00, True)])
def test_s6_3_minus_ten_percent_closes_the_position(cny: float, closes: bool) -> None:
    pipeline = held(config(params=script({FRIDAY: f"buy {CODE}"}), risks=[("LossLimitRisk", {"loss_limit": 10})]))
    pipeline.send(price("10:00:03", cny))
    orders = pipeline.orders()[1:]
    assert [(order.direction, order.volume) for order in orders] == ([(-1, 1_000)] if closes else [])
    if closes:
        assert orders[0].reason.startswith("LossLimitRisk: ")
        pipeline.send(price("10:00:06", 9.05))  # at limit down nobody buys
        assert pipeline.snapshot().positions == []
        assert pipeline.audit().ok


@pytest.mark.parametrize(("cny", "closes"), [(10.49, False), (10.50, True)])
def test_s6_4_target_closes_the_position(cny: float, closes: bool) -> None:
    pipeline = held(config(params=script({FRIDAY: f"buy {CODE}"}), risks=[("ProfitTargetRisk", {"profit_target": 5})]))
    pipeline.send(price("10:00:03", cny))
    assert [(order.direction, order.volume) for order in pipeline.orders()[1:]] == ([(-1, 1_000)] if closes else [])
    pipeline.send(price("10:00:06", cny))
    assert (pipeline.snapshot().positions == []) is closes
    assert pipeline.audit().ok


@pytest.mark.parametrize("topic", [MARKET_DATA, TICKS, SUBMISSION, SIM_ORDERS, FEEDBACK, CONTROL])
def test_s6_8_every_message_of_a_topic_twice_has_one_effect(topic: str) -> None:
    def run(doubled: bool) -> tuple[Any, ...]:
        pipeline = opened(config(params=script(BUY | {"10:01:09": f"buy {CODE}"})))
        steps = [price("10:00:03", 10.0), price("10:00:06", 10.0, volume=4_000), price("10:00:09", 10.0), price("10:01:09", 10.0)]
        for step in [*steps, price("10:01:12", 9.9)]:
            before = [len(records) for records in pipeline.broker.partitions[topic]]
            pipeline.send(step)
            for records, known in zip(pipeline.broker.partitions[topic], before, strict=True):
                if doubled:
                    records.extend(records[known:])
            pipeline.settle()
        if doubled:
            for records in pipeline.broker.partitions[topic]:
                records.extend(list(records))  # all of the past once more
            pipeline.settle()
        assert pipeline.audit().ok
        snapshot = pipeline.snapshot()
        orders = list(dict.fromkeys(order.order_id for order in pipeline.orders()))
        return orders, snapshot.cash, snapshot.frozen, snapshot.positions, snapshot.ledger, snapshot.fills, snapshot.status

    assert run(doubled=True) == run(doubled=False)


def test_s6_9_older_update_is_dropped_and_counted() -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"})))
    pipeline.send(price("10:00:06", 10.2))
    pipeline.send(price("10:00:03", 10.0))
    assert pipeline.orders() == []
    assert [state.refused for state in pipeline.states()][slot_of(PID)] == {"older": 1}
    assert pipeline.alerts("data_anomaly") == []  # a late update is normal in a feed


def test_s6_9_newer_update_of_the_same_time_counts_by_its_seq() -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}"})))
    pipeline.send(price("10:00:03", 10.0, seq=7))
    pipeline.send(price("10:00:03", 10.2, seq=6))
    assert next(state for state in pipeline.states() if PID in state.portfolios).refused == {"older": 1}


def test_s6_10_cancel_of_a_part_filled_order_keeps_the_fill_and_releases_the_rest() -> None:
    pipeline = opened(config(params=script(BUY)))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price("10:00:06", 10.0, volume=4_000))
    (order,) = pipeline.orders()
    assert pipeline.snapshot().frozen > 6_000
    pipeline.command("order.cancel", time="10:00:07", order_id=order.order_id)
    snapshot = pipeline.snapshot()
    assert (snapshot.frozen, snapshot.open_orders, snapshot.positions[0].volume) == (0, [], 400)
    assert snapshot.cash == pytest.approx(100_000 - 4_000 - 5 - 0.04, abs=1e-9)
    assert pipeline.audit().ok


def test_s6_10_cancel_of_a_part_filled_sale_releases_the_shares() -> None:
    pipeline = held(config(params=script({FRIDAY: f"buy {CODE}", "10:00:03": f"sell {CODE}"})))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price("10:00:06", 10.0, volume=3_000))
    assert pipeline.snapshot().positions[0].available_volume == 0
    pipeline.command("order.cancel", time="10:00:07", order_id=pipeline.orders()[-1].order_id)
    assert (pipeline.snapshot().positions[0].volume, pipeline.snapshot().positions[0].available_volume) == (700, 700)
    assert pipeline.audit().ok


def test_s6_12_many_signals_are_risked_and_sized_in_turn() -> None:
    codes = [CODE, OTHER, "600519.SH", "000002.SZ", "600000.SH"]
    said = ", ".join(f"buy {code}" for code in codes)
    risks = [("PositionRatioRisk", {"max_position_ratio": 0.3, "max_total_position_ratio": 0.5})]
    pipeline = opened(config(params=script({"10:00:03": said}), volume=2_000, risks=risks), codes=codes)
    in_one = [price("10:00:03", 10.0, code) for code in ("600519.SH", "000002.SZ", CODE, "600000.SH")]  # one partition: one batch
    pipeline.send(*in_one)
    assert [(order.code, order.volume) for order in pipeline.orders()] == [(CODE, 2_000), ("600519.SH", 2_000), ("000002.SZ", 900)]
    assert pipeline.portfolio().drops == {"risk:PositionRatioRisk": 1}
    pipeline.send(*(price("10:00:06", 10.0, code) for code in codes))
    assert sum(position.market_value for position in pipeline.snapshot().positions) <= 50_000
    assert pipeline.audit().ok


def test_s6_12_portfolios_do_not_share_cash() -> None:
    pipeline = opened(config(params=script(BUY)), cash=6_000)
    pipeline.create(config(params=script(BUY)), OTHER_PID, cash=100_000)
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price("10:00:06", 10.0))
    assert {order.portfolio_id: order.volume for order in pipeline.orders()} == {PID: 500, OTHER_PID: 1_000}
    assert pipeline.audit().portfolios == 2
    assert pipeline.audit().ok
