"""Scenario 9.1: whatever dies, wherever between two steps, and whatever comes twice, late or from an owner that does not know
yet that it is none: the books are the exchange's, and nothing is done twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ginkgo_streams import messages as m
from ginkgo_streams.domain.ids import order_id
from ginkgo_streams.topics import CONTROL, FEEDBACK, MARKET_DATA, SIM_ORDERS, SUBMISSION, TICKS
from tests.scenarios.harness import CHINEXT, CODE, OTHER, OTHER_PID, PID, Pipeline, Place, config, price, script, slot_of
from tests.scenarios.process import Process

logging.getLogger("ginkgo.node").setLevel(logging.ERROR)  # refusals are part of the course
THIRD_PID = "9f1c1f4e-5a0e-4b7e-8d5c-0a1b2c3d4e02"
CODES = (CODE, OTHER, CHINEXT)
DAYS = ("2026-11-20", "2026-11-23", "2026-11-24")
RANDOM = ("RandomSignalStrategy", {"seed": 5, "probability": 0.5})
EASY: dict[str, Any] = {"risks": [("LossLimitRisk", {"loss_limit": 1.5})], "min_signal_interval": 5, "volume": 300}
CONFIGS = {PID: config(*RANDOM, **EASY), OTHER_PID: config(*RANDOM, **EASY),
           THIRD_PID: config("TrendFollowStrategy", {"short_period": 1, "long_period": 3}, codes=[CODE, CHINEXT], volume=700)}  # fmt: skip

Step = Callable[[Pipeline], None]


def course(seed: int, together: bool) -> Iterator[Step]:
    """Three days: prices of a code a step (or of all of them), cancels, closes. The steps do not depend on what happened."""
    random = Random(seed)
    cents = dict.fromkeys(CODES, 1000)
    for date in DAYS:
        for n in range(12):
            time = f"{date}T10:0{n // 6}:{n % 6}0"
            updates = []
            for code in CODES if together else [random.choice(CODES)]:
                cents[code] += random.randint(-20, 20)
                updates.append(price(time, cents[code] / 100, code, prev_close=10.0, volume=random.choice([1_500, 4_000, 40_000])))
            yield lambda pipeline, updates=updates: pipeline.send(*updates, settle=False)  # type: ignore[misc]
            if random.random() < 0.15:
                pid, number = random.choice(list(CONFIGS)), random.randint(1, 6)
                yield lambda pipeline, pid=pid, number=number, time=time: pipeline.command(  # type: ignore[misc]
                    "order.cancel", pid, time, settle=False, order_id=order_id(pid, number)
                )
        yield lambda pipeline, date=date: pipeline.clock(f"{date}T15:00:01", settle=False)  # type: ignore[misc]


def started() -> Pipeline:
    """The portfolios of CONFIGS, running."""
    pipeline = Pipeline()
    for pid, given_ in CONFIGS.items():
        pipeline.create(given_, pid, time=f"{DAYS[0]}T09:00:00")
    return pipeline


def crash(pipeline: Pipeline, process: Process) -> None:
    """Somebody else owns the slot now."""
    place = next(place for place, owner in pipeline.processes.items() if owner is process)
    pipeline.start(place)


def meddle(pipeline: Pipeline, number: int) -> None:
    """One thing that may happen to any system at any time, chosen by the number."""
    what, number = number % 12, number // 12
    alive = list(pipeline.processes.values())
    process = alive[number % len(alive)]
    number //= len(alive)
    if what == 11 and pipeline.zombies:
        process = pipeline.zombies[number % len(pipeline.zombies)]  # paused, or cut off: it goes on as if nothing had been
        what = number % 5
    if what < 5:
        topic = sorted(process.role.inputs)[number % len(process.role.inputs)]
        process.take(topic, min(process.waiting(topic), number % 5))
        process.group()
    elif what == 5:
        process.checkpoint()
    elif what == 6:
        again(pipeline, number)
    elif what == 7 and process.epoch in {owner.epoch for owner in alive}:
        crash(pipeline, process)
    if what in (1, 2, 3, 8, 9):
        for n in range(number % 7):
            _ = process.ack() if (number >> n) & 1 else process.finish()
    elif what == 4:
        process.drain()


def again(pipeline: Pipeline, number: int) -> None:
    """A record of the past once more: what a producer's retry or a consumer's rewind brings."""
    topic = (MARKET_DATA, TICKS, SUBMISSION, SIM_ORDERS, FEEDBACK, CONTROL)[number % 6]
    partitions = pipeline.broker.partitions[topic]
    records = partitions[number % len(partitions)]
    if records:
        records.append(records[number // 6 % len(records)])


def finish(pipeline: Pipeline) -> None:
    """Everything arrives, the last words of old owners too."""
    pipeline.settle()
    for zombie in pipeline.zombies:
        zombie.group()
        zombie.drain()
    pipeline.settle()


def outcome(pipeline: Pipeline) -> dict[str, Any]:
    """What of a run may not depend on crashes: orders, fills and books. Keyed for a readable difference."""
    orders = {order.order_id: (order.portfolio_id, order.code, order.direction, order.volume, order.price) for order in pipeline.orders()}
    reports = [each for each in pipeline.reports() if isinstance(each, (m.OrderFilled, m.OrderPartiallyFilled))]
    fills = {(each.order_id, each.trade_id): (each.filled_volume, each.filled_price, each.commission) for each in reports}
    books = {}
    for pid in CONFIGS:
        snapshot = pipeline.snapshot(pid)
        books[pid] = (
            snapshot.cash,
            snapshot.frozen,
            snapshot.positions,
            snapshot.ledger,
            snapshot.orders,
            snapshot.fills,
            snapshot.history,
        )
    return {"orders": orders, "fills": fills, "books": books, "open": pipeline.audit().open}


def agree(pipeline: Pipeline) -> None:
    """Ledgers hold, every order of the course has ended, the auditor finds no difference, and nobody is in error."""
    report = pipeline.audit()
    assert report.differences == []
    assert (report.pending, report.unreadable, report.portfolios) == (0, 0, len(CONFIGS))
    for pid in CONFIGS:
        assert (pipeline.snapshot(pid).status, pipeline.snapshot(pid).error) == ("running", "")
        assert set(pipeline.portfolio(pid).open_orders) <= {order.order_id for order in pipeline.orders()}
    assert pipeline.dead() == []


def quiet(seed: int) -> dict[str, Any]:
    """The outcome without any trouble."""
    pipeline = started()
    for step in course(seed, together=False):
        step(pipeline)
        pipeline.settle()
    agree(pipeline)
    found = outcome(pipeline)
    assert len(found["fills"]) >= 5  # else the course tests nothing
    return found


QUIET: dict[int, dict[str, Any]] = {}
NUMBERS = st.integers(0, 2**20)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3), st.lists(st.tuples(st.integers(0, 45), st.lists(NUMBERS, max_size=25)), max_size=8))
def test_s9_1_any_crash_and_redelivery_between_two_ticks_changes_no_order_no_fill_and_no_cash(
    seed: int, trouble: list[tuple[int, list[int]]]
) -> None:
    pipeline = started()
    for number, step in enumerate(course(seed, together=False)):
        step(pipeline)
        for at, numbers in trouble:
            if at == number:
                for each in numbers:
                    meddle(pipeline, each)
        pipeline.settle()
    finish(pipeline)
    agree(pipeline)
    if seed not in QUIET:
        QUIET[seed] = quiet(seed)
    assert outcome(pipeline) == QUIET[seed]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3), st.lists(NUMBERS, min_size=20, max_size=300))
def test_s9_1_books_agree_whatever_dies_and_in_whatever_order_topics_are_read(seed: int, numbers: Sequence[int]) -> None:
    pipeline = started()
    steps = course(seed, together=True)
    for number in numbers:
        if number % 4 == 0 and (step := next(steps, None)) is not None:
            step(pipeline)
        meddle(pipeline, number // 4)
    for step in steps:
        step(pipeline)
    finish(pipeline)
    agree(pipeline)
    assert pipeline.audit().open == sum(len(pipeline.portfolio(pid).open_orders) for pid in CONFIGS)


@pytest.mark.parametrize("place", [("portfolios", slot_of(PID)), ("gateway", slot_of(PID)), ("exchange", 1)])
def test_s9_1_restart_that_reads_everything_again_does_nothing_twice(place: Place) -> None:
    plan = script({"10:00:03": f"buy {CODE}", "10:02:03": f"buy {CODE}"})
    pipeline = Pipeline()
    pipeline.create(config(params=plan))
    for time, volume in (("09:59:57", 0), ("10:00:03", 0), ("10:00:06", 4_000), ("10:00:09", 10_000), ("10:02:03", 0)):
        pipeline.send(price(time, 10.0, volume=volume, prev_close=10.0))
    before = pipeline.snapshot()
    pipeline.committed[place].clear()  # as if nothing was ever committed: all inputs come again
    pipeline.start(place)
    pipeline.settle()
    after = pipeline.snapshot()
    assert (after.cash, after.frozen, after.positions, after.ledger, after.orders, after.fills) == (
        before.cash, before.frozen, before.positions, before.ledger, before.orders, before.fills,
    )  # fmt: skip
    assert len({order.order_id for order in pipeline.orders()}) == 2
    pipeline.send(price("10:02:06", 10.0))
    assert pipeline.snapshot().positions[0].volume == 2_000
    assert pipeline.audit().ok
