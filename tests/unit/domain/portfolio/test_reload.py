"""A new config for a portfolio: what changes, what stays, what is refused whole, and what is on record."""

from __future__ import annotations

from typing import Any

import pytest

from ginkgo_streams.domain.events import BUY
from tests.unit.domain.portfolio.desk import CODE, ID, OTHER, Desk, TestStrategy, config, held, ts, units

TREND = config(strategy="TrendFollowStrategy", params={"short_period": 1, "long_period": 3}, codes=[CODE])
TARGET = ("ProfitTargetRisk", {"profit_target": 5.0, "trailing_percent": 2.0})


def trend(short: int, long: int, codes: tuple[str, ...] = (CODE,)) -> dict[str, Any]:
    """A config of moving averages."""
    return config(strategy="TrendFollowStrategy", params={"short_period": short, "long_period": long}, codes=codes)


def test_s2_3_reload_of_a_running_portfolio_is_two_moves_on_record_and_a_new_version() -> None:
    desk = Desk(config=TREND)
    changes = desk.command("portfolio.reload", time="10:00:01", version=2, config=trend(1, 2), reason="faster")
    view = desk.view()
    assert (view.status, view.version, view.config) == ("running", 2, trend(1, 2))
    assert [(move.seq, move.from_status, move.to_status, move.ts) for move in view.transitions] == [
        (1, "created", "running", ts("09:00:00")), (2, "running", "reloading", ts("10:00:01")), (3, "reloading", "running", ts("10:00:01")),
    ]  # fmt: skip
    assert view.transitions[1].reason == "version 2, command by u1: faster"
    assert [(v.version, v.by, v.reason) for v in view.versions] == [(1, "u1", "created"), (2, "u1", "faster")]
    assert changes.dirty == [ID]


def test_s2_3_new_parameters_decide_from_the_next_update_on_with_the_windows_that_were_there() -> None:
    desk = Desk(config=TREND)
    for second, price in enumerate((10.0, 9.9, 9.5)):
        assert desk.quote(f"10:00:0{second}", price).orders == []
    desk.command("portfolio.reload", version=2, config=trend(1, 2))
    assert [order.code for order in desk.quote("10:00:03", 9.6).orders] == [CODE]  # under the mean of the last three, which is 9.67
    assert desk.view().transitions[-1].reason == "version 2"  # nothing is missing


def test_s2_3_longer_period_keeps_the_closes_that_are_held_and_says_what_is_missing() -> None:
    desk = Desk(config=trend(1, 2, (CODE, OTHER, "300750.SZ")))
    for second in range(1, 6):
        desk.quote(f"10:00:0{second}", 10.0)
    desk.command("portfolio.reload", version=2, config=trend(1, 4, (CODE, OTHER, "300750.SZ")))
    assert desk.view().transitions[-1].reason == (
        f"version 2; 3 of 3 codes wait for history, 5 closes are needed: {CODE} has 3, 300750.SZ has 0, {OTHER} has 1"
    )
    assert desk.quote("10:00:06", 9.9).orders == []
    assert len(desk.quote("10:00:09", 10.3).orders) == 1  # the fifth close: two came since, three were kept


def test_reload_keeps_open_orders_cash_positions_and_the_signals_interval() -> None:
    desk = held(config=config(risks=[TARGET], codes=[CODE]))
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    before = desk.view()
    desk.command("portfolio.reload", version=2, config=config(sizer_params={"volume": 300}, codes=[CODE]))
    after = desk.view()
    assert (after.cash, after.frozen, after.positions, after.open_orders) == (
        before.cash, before.frozen, before.positions, before.open_orders,
    )  # fmt: skip
    assert desk.signal("10:00:03", 10.0, BUY).orders == []  # within 60 s of the last: who is asked again does not buy twice
    assert desk.view().drops["too_soon"] == 1
    desk.fill(order, 10.0)
    (second,) = desk.signal("10:01:03", 10.0, BUY).orders
    assert (second.volume, second.order_id != order.order_id) == (300, True)


def test_s2_4_risk_manager_that_is_new_judges_the_next_order() -> None:
    desk = Desk()
    desk.command("portfolio.reload", version=2, config=config(risks=[("PositionRatioRisk", {"max_position_ratio": 0.05})]))
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    assert order.volume == 400  # 5 % of 100,000 CNY, where the sizer says 1,000 shares


def test_s2_4_risk_manager_remembers_its_peak_through_other_parameters_and_another_place() -> None:
    desk = held(config=config(risks=[TARGET]))
    desk.quote("10:00:00", 10.6)  # the target is reached: the peak is 10.6
    other = ("ProfitTargetRisk", {"profit_target": 5.0, "trailing_percent": 1.0})
    desk.command("portfolio.reload", version=2, config=config(risks=[("LossLimitRisk", {"loss_limit": 10.0}), other]))
    assert desk.portfolio().risk_state == {"1:ProfitTargetRisk": {CODE: {"peak": units(10.6)}}}
    (order,) = desk.quote("10:00:03", 10.49).orders  # 1 % below the peak
    assert order.direction == -BUY


def test_s2_4_of_two_risk_managers_of_one_name_each_keeps_what_it_knows_when_one_goes() -> None:
    first, second = ("ProfitTargetRisk", {"profit_target": 50.0}), ("ProfitTargetRisk", {"profit_target": 5.0, "trailing_percent": 2.0})
    desk = held(config=config(risks=[first, second]))
    desk.quote("10:00:00", 10.6)
    desk.command("portfolio.reload", version=2, config=config(risks=[second]))
    assert desk.portfolio().risk_state == {"0:ProfitTargetRisk": {CODE: {"peak": units(10.6)}}}


def test_strategy_of_other_parameters_starts_without_its_old_state_and_one_that_stays_keeps_it() -> None:
    desk = Desk(config=TREND)
    desk.portfolio().strategy_state["memory"] = 1
    desk.command("portfolio.reload", version=2, config=TREND | {"min_signal_interval": 5})
    assert desk.portfolio().strategy_state == {"memory": 1}
    desk.command("portfolio.reload", version=3, config=trend(1, 2))
    assert desk.portfolio().strategy_state == {}


def test_s2_5_new_code_is_wanted_and_an_old_one_until_nothing_of_it_is_held_or_open() -> None:
    desk = held(config=config(codes=[CODE]))
    desk.command("portfolio.reload", version=2, config=config(codes=[OTHER]))
    assert desk.kernel.interest() == (CODE, OTHER)  # its shares have a price and a risk still
    desk.command("portfolio.reload", version=3, config=config(risks=[("LossLimitRisk", {"loss_limit": 5.0})], codes=[OTHER]))
    TestStrategy.asked.clear()
    (order,) = desk.quote("10:00:00", 9.4).orders
    assert (order.code, order.direction, TestStrategy.asked) == (CODE, -BUY, [])
    desk.fill(order, 9.4)
    assert desk.kernel.interest() == (OTHER,)


def test_s2_5_code_with_an_open_buy_is_wanted_after_it_has_left_the_list() -> None:
    desk = Desk(config=config(codes=[CODE]))
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    desk.command("portfolio.reload", version=2, config=config(codes=[OTHER]))
    assert desk.kernel.interest() == (CODE, OTHER)
    desk.report(order, "cancelled")
    assert desk.kernel.interest() == (OTHER,)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"version": 3, "config": TREND}, "version is 3, but it has version 1 and the next is 2"),
        ({"version": 1, "config": TREND}, "version is 1, but it has version 1 and the next is 2"),
        ({"version": "2", "config": TREND}, "version is '2'"), ({"config": TREND}, "version is None"), ({"version": 2.5}, "version is 2.5"),
        ({"version": 2}, "config is NoneType, not an object; a reload carries the whole config"),
        ({"version": 2, "config": trend(5, 3)}, "short_period = 5 must be less than long_period = 3"),
        ({"version": 2, "config": trend(1, 3, ("nonsense",))}, "codes = ['nonsense']"),
        ({"version": 2, "config": {}}, "strategy is missing"),
    ],
)  # fmt: skip
def test_reload_that_is_wrong_is_refused_with_the_reason_and_changes_nothing(params: dict[str, Any], why: str) -> None:
    desk = Desk(config=TREND)
    before = desk.view()
    changes = desk.command("portfolio.reload", command_id="bad", **params)
    after = desk.view()
    assert (after.version, after.config, after.status, after.transitions, after.versions) == (
        1, before.config, "running", before.transitions, before.versions,
    )  # fmt: skip
    assert [alert.alert_type for alert in changes.alerts] == ["command_refused"]
    assert why in changes.alerts[0].message
    (refusal,) = after.refusals
    assert refusal.command_id == "bad"
    assert why in refusal.reason
    assert desk.kernel.interest() == (CODE,)


def test_reload_that_comes_twice_has_the_effect_of_once() -> None:
    desk = Desk(config=TREND)
    desk.command("portfolio.reload", command_id="r", version=2, config=trend(1, 2))
    changes = desk.command("portfolio.reload", command_id="r", version=2, config=trend(1, 2))
    assert (changes.dirty, changes.alerts, desk.view().version) == ([], [], 2)


def test_reload_of_the_same_version_by_another_is_refused() -> None:
    desk = Desk(config=TREND)
    desk.command("portfolio.reload", version=2, config=trend(1, 2))
    desk.command("portfolio.reload", version=2, config=trend(2, 9))
    assert (desk.view().version, desk.view().config) == (2, trend(1, 2))
    assert desk.alerts() == ["command_refused"]


@pytest.mark.parametrize("status", ["created", "stopped", "error"])
def test_portfolio_that_does_not_run_takes_the_config_and_stays_what_it_is(status: str) -> None:
    desk = Desk(config=config(strategy="Nope") if status == "error" else TREND, started=status == "stopped")
    if status == "stopped":
        desk.command("portfolio.stop")
    moves = len(desk.view().transitions)
    desk.command("portfolio.reload", version=2, config=trend(1, 2))
    assert (desk.view().status, desk.view().version, len(desk.view().transitions)) == (status, 2, moves)
    desk.command("portfolio.start")
    assert (desk.view().status, desk.view().config) == ("running", trend(1, 2))
    for second, price in enumerate((10.0, 9.9, 9.8)):
        desk.quote(f"10:00:0{second}", price)
    assert len(desk.quote("10:00:03", 9.9).orders) == 1


def test_portfolio_that_is_stopping_ends_under_the_config_that_it_has() -> None:
    desk = Desk()
    desk.signal("10:00:00", 10.0, BUY)
    desk.command("portfolio.stop", time="10:00:01")
    desk.command("portfolio.reload", version=2, config=TREND)
    assert (desk.view().status, desk.view().version, desk.alerts()) == ("stopping", 1, ["command_refused"])


def test_value_from_before_versions_were_kept_is_read_and_counts_on() -> None:
    desk = Desk(config=TREND)
    portfolio = desk.portfolio()
    portfolio.versions.clear()
    portfolio.transitions[0].seq = 0
    desk.command("portfolio.reload", version=2, config=trend(1, 2))
    assert [(v.version, v.by) for v in desk.view().versions] == [(1, ""), (2, "u1")]
    assert [move.seq for move in desk.view().transitions] == [0, 2, 3]
