"""Commands: create, start, stop, delete, cancel; refusals; states and their record."""

from __future__ import annotations

from typing import Any

import pytest

from ginkgo_streams.domain.config import validate_config
from ginkgo_streams.domain.events import BUY
from tests.unit.domain.portfolio.desk import CODE, ID, REGISTRY, Desk, TestStrategy, config, held, ts, units

QUICKSTART: dict[str, Any] = {
    "strategy": {
        "strategy_id": "trend_follow_strategy_uuid", "name": "TrendFollowStrategy", "params": {"short_period": 5, "long_period": 20},
    },
    "risk_managements": [
        {
            "risk_id": "position_ratio_risk_uuid", "name": "PositionRatioRisk",
            "params": {"max_position_ratio": 0.2, "max_total_position_ratio": 0.8},
        },
        {"risk_id": "loss_limit_risk_uuid", "name": "LossLimitRisk", "params": {"loss_limit": 10.0}},
    ],
    "sizer": {"sizer_id": "fixed_amount_sizer_uuid", "name": "FixedAmountSizer", "params": {"amount": 10000}},
}  # fmt: skip


def test_config_of_the_quickstart_is_good() -> None:
    assert validate_config(QUICKSTART) == []


def test_config_is_found_by_id_alone() -> None:
    by_id = {"strategy": {"strategy_id": "trend_follow_strategy_uuid"}, "sizer": {"sizer_id": "fixed_amount_sizer_uuid"}}
    assert validate_config(by_id) == []


def test_config_with_several_errors_names_them_all() -> None:
    errors = validate_config({
        "strategy": {"name": "TrendFollowStrategy", "params": {"short_period": "5", "long_period": 20, "colour": "red"}},
        "risk_managements": [{"name": "PositionRatioRisk", "params": {"max_position_ratio": 20}}, {"name": "NoRisk"}],
        "sizer": {"name": "FixedAmountSizer", "params": {"amount": -1}},
        "selector": {"name": "FixedSelector", "params": {"codes": ["000001"]}},
        "max_signal_age": "soon", "what": 1,
    })  # fmt: skip
    expected = [
        "'what'", "short_period = '5'", "'colour'", "amount = -1", "codes = ['000001']", "max_position_ratio = 20", "'NoRisk'", "'soon'",
    ]  # fmt: skip
    for part in expected:
        assert sum(part in error for error in errors) == 1, part
    assert len(errors) == len(expected)
    assert any("a ratio from 0 to 1: 0.2 is 20 %" in error for error in errors)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"strategy": {"name": "Nope"}, "sizer": {"name": "FixedAmountSizer"}}, "unknown strategy 'Nope'; known:"),
        ({"sizer": {"name": "FixedAmountSizer"}}, "strategy is missing"),
        ({**QUICKSTART, "strategy": {"name": "TrendFollowStrategy", "params": {"short_period": 20, "long_period": 5}}},
         "short_period = 20 must be less than long_period = 5"),
        ({**QUICKSTART, "risk_managements": {"name": "LossLimitRisk"}}, "risk_managements is dict, not a list"),
        ({**QUICKSTART, "sizer": {"sizer_id": "fixed_amount_sizer_uuid", "name": "FixedVolumeSizer"}}, "different components"),
        ({**QUICKSTART, "selector": {"name": "FixedSelector"}}, "parameter 'codes' is missing"),
    ],
)  # fmt: skip
def test_bad_config_is_told_in_one_sentence(bad: dict[str, Any], said: str) -> None:
    (error,) = validate_config(bad)
    assert said in error


def test_s2_1_create_with_a_bad_config_stays_in_error_with_all_reasons() -> None:
    desk = Desk(config=config(strategy="Nope", sizer_params={"volume": 0}), cash=0, started=False)
    view = desk.view()
    assert view.status == "error"
    assert "unknown strategy 'Nope'" in view.error
    assert "volume = 0" in view.error
    assert "initial_cash is 0" in view.error
    desk.command("portfolio.start")
    assert desk.view().status == "error"
    assert desk.alerts() == ["command_refused"]


@pytest.mark.parametrize(("cash", "cny"), [(100_000, 100_000), ("100000.50", 100_000.5), (1.25, 1.25)])
def test_initial_cash_is_a_number_or_a_text(cash: Any, cny: float) -> None:
    assert Desk(cash=cash, started=False).view().cash == units(cny)


@pytest.mark.parametrize("cash", ["much", None, 0.00001, True, float("nan"), float("inf"), -5])
def test_bad_initial_cash_is_an_error(cash: Any) -> None:
    desk = Desk(cash=cash, started=False)
    assert desk.view().status == "error"
    assert "initial_cash" in desk.view().error


def test_s2_2_start_runs_with_interest_and_its_record() -> None:
    desk = Desk(config=config(codes=["600000.SH", CODE]), started=False)
    assert desk.kernel.interest() == (CODE, "600000.SH")
    changes = desk.command("portfolio.start", time="09:01:00")
    assert changes.dirty == [ID]
    (move,) = desk.view().transitions
    assert (move.ts, move.from_status, move.to_status, move.reason) == (ts("09:01:00"), "created", "running", "command by u1")


def test_interest_of_several_portfolios_is_their_union_and_all_is_a_star() -> None:
    desk = Desk(config=config(codes=["600000.SH"]), opened=False)
    desk.create("a")
    desk.create("b", config=config(codes=[CODE]))
    assert desk.kernel.interest() == (CODE, "600000.SH")
    desk.create("c", config=config())
    assert desk.kernel.interest() == ("*",)
    desk.command("portfolio.delete", "c")
    assert desk.kernel.interest() == (CODE, "600000.SH")


def test_portfolio_sees_only_what_it_watches() -> None:
    Desk(config=config(codes=[CODE]))
    assert TestStrategy.asked == [[CODE]]


def test_portfolio_that_was_not_started_sees_nothing() -> None:
    Desk(started=False)
    assert TestStrategy.asked == []


def test_s2_6_stop_cancels_open_orders_lands_fills_and_then_is_stopped() -> None:
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    changes = desk.command("portfolio.stop", time="10:01:00")
    assert [cancel.order_id for cancel in changes.cancels] == [order.order_id]
    assert desk.view().status == "stopping"
    desk.fill(order, 10.0, 400)
    assert desk.view().positions[0].volume == 400
    assert desk.signal("10:05:03", 10.0, BUY).orders == []
    desk.report(order, "cancelled")
    assert desk.view().status == "stopped"
    assert [move.to_status for move in desk.view().transitions] == ["running", "stopping", "stopped"]


def test_s2_6_stop_without_open_orders_is_stopped_at_once() -> None:
    desk = Desk()
    desk.command("portfolio.stop")
    assert desk.view().status == "stopped"
    desk.command("portfolio.start")
    assert desk.view().status == "running"


def test_stop_out_of_error_ends_in_stopped_once_no_order_is_open() -> None:
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    TestStrategy.raises = RuntimeError("bug")
    desk.quote("10:00:03", 10.0)
    changes = desk.command("portfolio.stop")
    assert (desk.view().status, len(changes.cancels)) == ("error", 1)
    desk.report(order, "cancelled")
    assert desk.view().status == "stopped"


def test_s2_7_running_portfolio_is_not_deleted() -> None:
    desk = Desk()
    desk.command("portfolio.delete")
    assert desk.view().status == "running"
    assert desk.texts() == [f"Command portfolio.delete for portfolio {ID} refused: it is running; stop it first"]
    assert desk.alerts() == ["command_refused"]


def test_s2_7_stopped_portfolio_is_deleted_and_its_create_is_not_repeated() -> None:
    desk = Desk()
    desk.command("portfolio.stop")
    desk.command("portfolio.delete")
    assert (desk.view().status, desk.view().config) == ("deleted", {})
    desk.create(ID)
    assert desk.alerts() == ["command_refused"]
    assert desk.view().status == "deleted"
    assert desk.kernel.interest() == ()


def test_s2_7_position_holds_a_delete_back_unless_forced() -> None:
    desk = held()
    desk.command("portfolio.stop")
    desk.command("portfolio.delete")
    assert desk.view().status == "stopped"
    desk.command("portfolio.delete", force=True)
    assert desk.view().status == "deleted"
    assert desk.view().ledger[0].bought_volume == 1000  # the auditor still finds it


@pytest.mark.parametrize(
    ("kind", "target", "why"),
    [
        ("portfolio.create", ID, "it exists already"), ("portfolio.start", ID, "it is running"),
        ("portfolio.start", "nobody", "no portfolio"),
        ("portfolio.migrate", ID, "target_node is None"), ("engine.stop", ID, "does not know"), ("order.cancel", ID, "no open order None"),
    ],
)  # fmt: skip
def test_command_that_cannot_be_done_is_refused_with_the_reason(kind: str, target: str, why: str) -> None:
    desk = Desk()
    desk.command(kind, target)
    assert desk.alerts() == ["command_refused"]
    assert why in desk.texts()[0]


def test_command_delivered_twice_has_the_effect_of_once() -> None:
    desk = Desk()
    desk.command("portfolio.stop", command_id="x")
    desk.command("portfolio.start", command_id="y")
    changes = desk.command("portfolio.stop", command_id="x")
    assert desk.view().status == "running"
    assert changes.dirty == []
    assert changes.alerts == []


def test_config_that_can_no_longer_be_built_puts_the_portfolio_in_error() -> None:
    from ginkgo_streams.domain.portfolios import Portfolios
    from ginkgo_streams.domain.registry import builtin
    from tests.unit.domain.portfolio.desk import PROFILE, always, quote, quotes

    desk = Desk()
    other = Portfolios(PROFILE, builtin)  # without the test's strategy
    other.load_portfolio(ID, desk.kernel.encode_portfolio(ID))
    other.load_chunk("c00", desk.kernel.encode_chunk("c00"))
    desk.command("portfolio.stop")
    other.on_command(_create("p2"))
    other.on_quotes(quotes([quote("10:00:00", 10.0)]), always, always)
    assert other.view(ID).status == "error"
    assert "unknown strategy 'TestStrategy'" in other.view(ID).error
    assert REGISTRY.find("strategy", "TestStrategy") is TestStrategy


def _create(portfolio_id: str) -> Any:
    from ginkgo_streams.domain.events import Command

    params = {"name": "n", "initial_cash": 1000, "config": QUICKSTART}
    return Command(command_id="z", command_type="portfolio.create", target_id=portfolio_id, params=params, ts=ts("09:00:00"))
