"""`ginkgo portfolio update`, `history`, `rollback` and `ginkgo order` where nothing is sent: bad input, and the past."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ginkgo_streams.config import load_settings
from ginkgo_streams.domain.versions import undo
from ginkgo_streams.messages import VersionView
from ginkgo_streams.portfolios.edit import BadPath, edited, named
from ginkgo_streams.portfolios.store import open_store
from ginkgo_streams.storage.snapshots import SnapshotStore
from tests.integration.storage.samples import snapshot
from tests.servers.program import Program

PID = "00000000-0000-4000-8000-000000000002"
CONFIG: dict[str, Any] = {
    "strategy": {"strategy_id": "trend_follow_strategy_uuid", "params": {"short_period": 5, "long_period": 20}},
    "risk_managements": [{"name": "PositionRatioRisk", "params": {}}, {"name": "LossLimitRisk", "params": {"loss_limit": 10.0}}],
    "sizer": {"name": "FixedAmountSizer", "params": {"amount": 10000}},
}


def stored(*configs: dict[str, Any], **changes: Any) -> None:
    """A portfolio that has had these configs."""
    versions = [
        VersionView(
            version=i + 1, timestamp=f"2026-11-24T01:3{i}:00.000Z", issued_by=f"user{i}", reason=f"because {i}",
            undo=[(step.path, step.before) for step in undo(configs[i - 1], configs[i])] if i else [],
        )
        for i in range(len(configs))
    ]  # fmt: skip
    saved = snapshot(PID, config=configs[-1], version=len(configs), versions=versions, **changes)
    SnapshotStore(open_store(load_settings()).engine).save([saved])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (("strategy.params.short_period=ten",), "short_period = 'ten'"),
        (("strategy.params.short_period=30",), "short_period = 30 must be less than long_period = 20"),
        (("strategy.params.colour=1",), "unknown parameter 'colour'"),
        (("strategy.strategy_id=nope",), "unknown strategy 'nope'"),
        (("risk_managements.LossLimitRisk.params.loss_limit=-1",), "loss_limit = -1"),
        (("sizer.params.amount=much", "strategy.params.long_period=0"), "amount = 'much'"),
        (("colour=red",), "unknown key 'colour'"),
    ],
)
def test_update_when_a_value_is_bad_then_it_is_named_nothing_is_sent_and_exit_1(
    ginkgo: Program, changes: tuple[str, ...], told: str
) -> None:
    stored(CONFIG)
    result = ginkgo("portfolio", "update", PID, *(word for change in changes for word in ("--set", change)))
    assert result.code == 1
    assert "the new config is not valid, nothing was changed" in result.err
    assert told in result.err
    assert "Kafka" not in result.err  # it did not come so far


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "say what to change"),
        (("--set", "strategy.params.short_period"), "expected NAME=VALUE"),
        (("--set", "strategy..params=1"), "is no path"),
        (("--set", "strategy.params.short_period.x=1"), "there is 5 where 'x' is looked for"),
        (("--set", "risk_managements.NoRisk.params.x=1"), "'NoRisk' is none of PositionRatioRisk, LossLimitRisk"),
    ],
)
def test_update_when_the_path_leads_nowhere_then_usage_error(ginkgo: Program, options: tuple[str, ...], told: str) -> None:
    stored(CONFIG)
    result = ginkgo("portfolio", "update", PID, *options)
    assert result.code == 2
    assert told in " ".join(result.err.replace("│", " ").split())


def test_update_when_nothing_differs_then_it_says_so_and_sends_nothing(ginkgo: Program) -> None:
    stored(CONFIG)
    result = ginkgo("portfolio", "update", PID, "--set", "strategy.params.short_period=5")
    assert (result.code, result.out) == (0, f"Portfolio {PID} has this config already (version 1)\n")


def test_update_when_it_is_stopping_then_refused_without_kafka(ginkgo: Program) -> None:
    stored(CONFIG, status="stopping")
    result = ginkgo("portfolio", "update", PID, "--set", "strategy.params.short_period=6")
    assert (result.code, result.err) == (
        1,
        f"[ERROR] portfolio {PID} cannot be updated: it is stopping, expected one of: running, created, stopped, error\n",
    )


@pytest.mark.parametrize("command", [("update", "--set", "a=1"), ("history",), ("rollback", "--to", "1")])
def test_change_when_the_portfolio_is_unknown_then_exit_1(ginkgo: Program, command: tuple[str, ...]) -> None:
    result = ginkgo("portfolio", command[0], "no-such", *command[1:])
    assert result.code == 1
    assert "there is no portfolio 'no-such'" in result.err


def test_history_when_there_are_versions_then_each_has_who_when_why_and_what_it_changed(ginkgo: Program) -> None:
    second = edited(CONFIG, {"strategy.params.short_period": 10, "risk_managements.LossLimitRisk.params.loss_limit": 5})
    third = edited(second, {"selector": {"name": "AllSelector"}, "risk_managements": []})
    stored(CONFIG, second, third)
    out = ginkgo("portfolio", "history", PID).out.splitlines()
    assert out[:4] == [
        "Version 1: 2026-11-24 01:30:00 by user0: because 0",
        "Version 2: 2026-11-24 01:31:00 by user1: because 1",
        "  strategy.params.short_period: 5 -> 10",
        "  risk_managements.LossLimitRisk.params.loss_limit: 10.0 -> 5",
    ]
    assert out[4] == "Version 3: 2026-11-24 01:32:00 by user2: because 2"
    assert out[6] == '  selector: (none) -> {"name":"AllSelector"}'
    found = json.loads(ginkgo("portfolio", "history", PID, "--json").out)
    assert [each["config"] for each in found] == [CONFIG, second, third]
    assert found[1]["changes"][0] == {"path": "strategy.params.short_period", "before": 5, "after": 10}


def test_rollback_when_the_version_is_unknown_then_those_there_are_are_named(ginkgo: Program) -> None:
    stored(CONFIG, edited(CONFIG, {"strategy.params.short_period": 10}))
    result = ginkgo("portfolio", "rollback", PID, "--to", "7")
    assert (result.code, result.err) == (1, f"[ERROR] portfolio {PID} has no version 7 on record; there are: 1, 2\n")


def test_order_cancel_when_it_is_not_open_then_the_open_ones_are_named(ginkgo: Program) -> None:
    stored(CONFIG, open_orders=[{
        "order_id": "o1", "code": "000001.SZ", "direction": 1, "volume": 100, "price": 10.5, "filled_volume": 0, "status": "acknowledged",
        "timestamp": "2026-11-24T01:31:00.000Z", "reason": "r",
    }])  # fmt: skip
    result = ginkgo("order", "cancel", PID, "o2")
    assert (result.code, result.err) == (1, f"[ERROR] portfolio {PID} has no open order 'o2'; open: o1\n")
    assert ginkgo("order", "list", PID).out.splitlines()[1].split() == [
        "o1", "000001.SZ", "BUY", "100", "0", "10.5", "acknowledged", "2026-11-24", "01:31:00",
    ]  # fmt: skip


def test_edited_when_a_path_goes_through_what_is_missing_then_it_is_made_and_the_config_given_stays() -> None:
    made = edited({"a": 1}, {"selector.params.codes": ["000001.SZ"]})
    assert made == {"a": 1, "selector": {"params": {"codes": ["000001.SZ"]}}}
    other = edited(CONFIG, {"risk_managements.0.params.max_position_ratio": 0.1})
    assert other["risk_managements"][0]["params"] == {"max_position_ratio": 0.1}
    assert CONFIG["risk_managements"][0]["params"] == {}
    with pytest.raises(BadPath):
        edited(CONFIG, {"risk_managements.2": 1})


def test_named_when_a_risk_manager_stands_twice_then_its_place_is_its_number() -> None:
    twice = {"risk_managements": [{"name": "R", "params": {"x": 1}}, {"name": "R", "params": {"x": 2}}]}
    other = edited(twice, {"risk_managements.1.params.x": 3})
    assert [(path, each.before, each.after) for path, each in named(twice, other)] == [("risk_managements.1.params.x", [2], [3])]
    with pytest.raises(BadPath, match="'R' is more than one of R, R"):
        edited(twice, {"risk_managements.R.params.x": 3})
