"""Scenarios 2.3, 2.4, 2.5 and 6.11: another config for a portfolio that runs, through the bytes of the topics, whatever dies meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ginkgo_streams import messages as m
from ginkgo_streams.topics import CONTROL, INTEREST
from tests.scenarios.harness import CHINEXT, CODE, OTHER, PID, Pipeline, config, held, opened, price, script, slot_of
from tests.scenarios.script import FRIDAY
from tests.scenarios.test_crashes import (
    CONFIGS,
    DAYS,
    NUMBERS,
    THIRD_PID,
    Step,
    agree,
    course,
    ended_after,
    finish,
    meddle,
    outcome,
    started,
    troubled,
)  # fmt: skip

PLACE = ("portfolios", slot_of(PID))
BUY = {"10:00:03": f"buy {CODE}"}


def reload(pipeline: Pipeline, version: int, given_: dict[str, Any], time: str = "10:00:04", pid: str = PID, settle: bool = True) -> None:
    """The command."""
    pipeline.command("portfolio.reload", pid, time, settle=settle, version=version, config=given_, reason="test")


def wanted(pipeline: Pipeline) -> list[str]:
    """The codes that the slot of PID last said it wants."""
    found = [m.decode(value, m.InterestUpdate) for key, value in pipeline.broker.log(INTEREST, 0) if key == str(slot_of(PID)).encode()]
    return list(found[-1].codes)


def test_s2_3_strategy_change_between_two_ticks_loses_nothing_and_decides_the_next() -> None:
    pipeline = opened(config(params=script(BUY)))
    pipeline.send(price("10:00:03", 10.0))
    pipeline.send(price("10:00:06", 10.0, volume=4_000))  # part of the order fills
    before = pipeline.snapshot()
    reload(pipeline, 2, config(params=script({"10:00:09": f"buy {OTHER}"}), volume=500), time="10:00:07")
    after = pipeline.snapshot()
    assert (after.cash, after.frozen, after.positions, after.open_orders, after.ledger) == (
        before.cash, before.frozen, before.positions, before.open_orders, before.ledger,
    )  # fmt: skip
    assert [(move["seq"], move["from"], move["to"]) for move in after.transitions] == [
        (1, "created", "running"), (2, "running", "reloading"), (3, "reloading", "running"),
    ]  # fmt: skip
    assert (after.version, after.status, after.versions[-1].issued_by, after.versions[-1].reason) == (2, "running", "me", "test")
    pipeline.send(price("10:00:09", 10.0), price("10:00:09", 10.0, OTHER))
    assert [(order.code, order.volume) for order in pipeline.orders()] == [(CODE, 1_000), (OTHER, 500)]
    assert pipeline.kinds(pipeline.orders()[0].order_id)[-1] == "order_filled"  # the order from before fills on
    assert pipeline.audit().ok


def test_s2_3_bad_parameters_are_refused_with_the_reason_and_the_portfolio_trades_on() -> None:
    pipeline = opened(config(params=script(BUY)))
    reload(pipeline, 2, config("TrendFollowStrategy", {"short_period": 30, "long_period": 20}))
    snapshot = pipeline.snapshot()
    assert (snapshot.version, snapshot.status, len(snapshot.transitions)) == (1, "running", 1)
    assert "short_period = 30 must be less than long_period = 20" in snapshot.refusals[0]["reason"]
    assert len(pipeline.alerts("command_refused")) == 1
    pipeline.send(price("10:00:03", 10.0))
    assert len(pipeline.orders()) == 1


def test_s2_3_longer_period_is_warm_as_far_as_the_windows_were_and_says_what_is_missing() -> None:
    pipeline = opened(config("TrendFollowStrategy", {"short_period": 1, "long_period": 3}, codes=[CODE]))
    for time in ("10:00:00", "10:00:03", "10:00:06"):
        pipeline.send(price(time, 10.0))
    reload(pipeline, 2, config("TrendFollowStrategy", {"short_period": 1, "long_period": 5}, codes=[CODE]), time="10:00:07")
    said = pipeline.snapshot().transitions[-1]["reason"]
    assert said == f"version 2; 1 of 1 codes wait for history, 6 closes are needed: {CODE} has 4"
    pipeline.start(PLACE)  # and the next owner has them too
    pipeline.settle()
    pipeline.send(price("10:00:09", 9.9))
    assert pipeline.orders() == []
    pipeline.send(price("10:00:12", 10.3))
    assert len(pipeline.orders()) == 1  # with the sixth close


def test_s2_4_risk_change_is_applied_to_the_next_order() -> None:
    pipeline = opened(config(params=script({"10:00:03": f"buy {CODE}", "10:02:03": f"buy {OTHER}"})))
    pipeline.send(price("10:00:03", 10.0))
    given_ = config(params=script({"10:02:03": f"buy {OTHER}"}), risks=[("PositionRatioRisk", {"max_position_ratio": 0.05})])
    reload(pipeline, 2, given_)
    pipeline.send(price("10:00:06", 10.0))
    pipeline.send(price("10:02:03", 10.0, OTHER))
    assert [(order.code, order.volume) for order in pipeline.orders()] == [(CODE, 1_000), (OTHER, 400)]
    assert pipeline.snapshot().positions[0].volume == 1_000  # that order was placed before
    assert pipeline.audit().ok


def test_s2_5_code_list_change_goes_to_the_map_and_the_data_follow() -> None:
    plan = script({"10:00:06": f"buy {CODE}, buy {OTHER}"})
    pipeline = opened(config(params=plan, codes=[CODE]))
    assert wanted(pipeline) == [CODE]
    reload(pipeline, 2, config(params=plan, codes=[OTHER, CHINEXT]))
    assert wanted(pipeline) == [CHINEXT, OTHER]
    seen = pipeline.ticks(slot_of(PID))
    pipeline.send(price("10:00:06", 10.0), price("10:00:06", 10.0, OTHER))
    assert [code for code, _ in pipeline.ticks(slot_of(PID))[len(seen) :]] == [OTHER]
    assert [order.code for order in pipeline.orders()] == [OTHER]


def test_s2_5_code_that_is_held_keeps_its_data_until_it_is_sold() -> None:
    pipeline = held(config(params=script({FRIDAY: f"buy {CODE}"}), codes=[CODE]))
    reload(pipeline, 2, config(risks=[("LossLimitRisk", {"loss_limit": 5.0})], codes=[OTHER]))
    assert wanted(pipeline) == [CODE, OTHER]
    pipeline.send(price("10:00:06", 9.4))  # the risk manager sees it, though it is not watched
    pipeline.send(price("10:00:09", 9.4))
    assert [(order.code, order.direction) for order in pipeline.orders()] == [(CODE, 1), (CODE, -1)]
    assert pipeline.snapshot().positions == []
    assert wanted(pipeline) == [OTHER]
    assert pipeline.audit().ok


@pytest.mark.parametrize("wakes", [False, True], ids=["dead", "wakes up"])
@pytest.mark.parametrize("whole", [False, True], ids=["group", "checkpoint"])
def test_s2_3_owner_that_ends_after_any_step_of_a_reload_leaves_one_new_version_and_its_orders(whole: bool, wakes: bool) -> None:
    steps, ended = 0, False
    after = config(params=script({"10:00:06": f"buy {OTHER}"}), volume=500)
    while not ended:
        pipeline = opened(config(params=script(BUY)))
        pipeline.send(price("10:00:03", 10.0))
        process = pipeline.processes[PLACE]
        reload(pipeline, 2, after, settle=False)
        process.take(CONTROL)
        ended = ended_after(pipeline, PLACE, steps, whole, wakes)
        pipeline.send(price("10:00:06", 10.0), price("10:00:06", 10.0, OTHER))
        pipeline.send(price("10:00:09", 10.0), price("10:00:09", 10.0, OTHER))
        snapshot = pipeline.snapshot()
        assert (snapshot.version, snapshot.config, snapshot.status) == (2, after, "running")
        assert [(move["seq"], move["to"]) for move in snapshot.transitions] == [(1, "running"), (2, "reloading"), (3, "running")]
        assert {(position.code, position.volume) for position in snapshot.positions} == {(CODE, 1_000), (OTHER, 500)}
        assert len({order.order_id for order in pipeline.orders()}) == 2
        assert pipeline.audit().differences == []
        steps += 1
    assert steps > 2


def test_s6_11_order_that_an_operator_cancels_ends_and_the_portfolio_is_told() -> None:
    pipeline = opened(config(params=script(BUY)))
    pipeline.send(price("10:00:03", 10.0))
    (order,) = pipeline.orders()
    pipeline.send(price("10:00:06", 10.0, volume=4_000))
    pipeline.command("order.cancel", time="10:00:07", order_id=order.order_id)
    assert pipeline.kinds(order.order_id) == ["order_ack", "order_partially_filled", "order_cancelled"]
    snapshot = pipeline.snapshot()
    assert (snapshot.open_orders, snapshot.frozen, snapshot.positions[0].volume) == ([], 0, 400)
    assert [(each["order_id"], each["status"]) for each in snapshot.closed_orders] == [(order.order_id, "cancelled")]
    pipeline.send(price("10:00:09", 10.0))
    assert pipeline.snapshot().positions[0].volume == 400
    assert pipeline.audit().ok


# ---- reloads in any course, whatever dies ------------------------------------------------------------------------

RANDOM: tuple[str, dict[str, Any]] = ("RandomSignalStrategy", {"seed": 8, "probability": 0.4})
NEXT = {
    pid: (
        config(*RANDOM, risks=[("ProfitTargetRisk", {"profit_target": 1.0})], min_signal_interval=5, volume=200),
        config(*RANDOM, min_signal_interval=7, volume=400, codes=[CODE, OTHER]),
    )
    for pid in CONFIGS
}
NEXT[THIRD_PID] = (
    config("TrendFollowStrategy", {"short_period": 1, "long_period": 2}, codes=[CODE, CHINEXT], volume=500),
    config("TrendFollowStrategy", {"short_period": 1, "long_period": 3}, codes=[CODE, CHINEXT], volume=300),
)


def reloading(seed: int, together: bool, nightly: bool) -> Iterator[Step]:
    """The course of the crash tests, with reloads in it: behind each close, or now and then. A version that is not due is refused."""
    versions = dict.fromkeys(CONFIGS, 1)
    for number, step in enumerate(course(seed, together)):
        yield step
        closes = number % 13 == 12
        if closes if nightly else number % 4 == seed:
            pid = list(CONFIGS)[number % len(CONFIGS)]
            versions[pid] += 1
            for version in (versions[pid] + 1, versions[pid], versions[pid]):  # too early, right, and the same by another
                day = DAYS[min(number // 13, 2)]
                yield lambda pipeline, pid=pid, version=version, day=day: reload(  # type: ignore[misc]
                    pipeline, version, NEXT[pid][version % 2], f"{day}T15:10:00", pid, settle=False
                )


def configs(pipeline: Pipeline) -> dict[str, Any]:
    """What each portfolio is by now."""
    found = {}
    for pid in CONFIGS:
        snapshot = pipeline.snapshot(pid)
        found[pid] = (snapshot.version, snapshot.config, [(v.version, v.undo) for v in snapshot.versions])
    return found


QUIET: dict[int, Any] = {}


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 3), st.lists(st.tuples(st.integers(0, 60), st.lists(NUMBERS, max_size=25)), max_size=8))
def test_s2_3_any_crash_and_redelivery_around_reloads_changes_no_order_no_fill_and_no_version(
    seed: int, trouble: list[tuple[int, list[int]]]
) -> None:
    """Reloads at night: what a portfolio saw before is durable then, so no order of topics can decide an update by another config."""
    pipeline = troubled(reloading(seed, together=False, nightly=True), trouble)
    if seed not in QUIET:
        quiet = started()
        for step in reloading(seed, together=False, nightly=True):
            step(quiet)
            quiet.settle()
        QUIET[seed] = (outcome(quiet), configs(quiet))
        assert sum(version for version, *_ in QUIET[seed][1].values()) > len(CONFIGS)
    assert (outcome(pipeline), configs(pipeline)) == QUIET[seed]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 3), st.lists(NUMBERS, min_size=20, max_size=150))
def test_s2_3_books_agree_whatever_dies_and_wherever_reloads_fall_between_the_ticks(seed: int, numbers: list[int]) -> None:
    pipeline = started()
    steps = reloading(seed, together=True, nightly=False)
    for number in numbers:
        if number % 2 and (step := next(steps, None)) is not None:
            step(pipeline)
        meddle(pipeline, number // 2)
    for step in steps:
        step(pipeline)
    finish(pipeline)
    agree(pipeline)
    assert pipeline.audit().open == sum(len(pipeline.portfolio(pid).open_orders) for pid in CONFIGS)
    for pid, (version, given_, versions) in configs(pipeline).items():
        assert version > 1
        assert given_ == NEXT[pid][version % 2]
        assert [number for number, _ in versions] == list(range(1, version + 1))
