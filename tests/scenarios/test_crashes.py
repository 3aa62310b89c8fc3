"""Scenario 9.1: whatever dies, wherever between two steps, and whatever comes twice, late or from an owner that does not know
yet that it is none: the books are the exchange's, and nothing is done twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ginkgo_streams.audit.exchange import read_books
from ginkgo_streams.audit.records import Counts, counted_orders, counted_reports
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


class Numbers:
    """Choices out of one number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def below(self, bound: int) -> int:
        """The next choice, from 0."""
        self.number, chosen = divmod(self.number, bound)
        return chosen


def some_work(process: Process, choose: Numbers, in_turn: bool) -> None:
    """Take some of what waits, of the topics in some order, and send what follows from it.

    in_turn: of a topic only when nothing of those in front of it waits. Else a fill may overtake the tick that caused it, and a
    strategy that sees the tick with the fill booked may rightly decide otherwise.
    """
    names = list(process.role.inputs)
    first, most = choose.below(len(names)), choose.below(6) * 2
    for topic in names if in_turn else names[first:] + names[:first]:
        process.take(topic, min(process.waiting(topic), most))
        if in_turn and process.waiting(topic):
            break
    if choose.below(4):
        process.group()
    else:
        process.checkpoint()


def some_arrives(process: Process, choose: Numbers) -> None:
    """Some of what was sent is acknowledged, some of what waits for that is done."""
    for _ in range(choose.below(8)):
        process.ack()
    for _ in range(choose.below(12)):
        process.finish()


def meddle(pipeline: Pipeline, number: int, in_turn: bool = False) -> None:
    """One thing that may happen to any system at any time, chosen by the number. in_turn: see `some_work`."""
    choose = Numbers(number)
    what = choose.below(8)
    place = list(pipeline.processes)[choose.below(len(pipeline.processes))]
    process = pipeline.processes[place]
    if what < 2:
        some_work(process, choose, in_turn)
        process.drain()
    elif what == 2:
        some_work(process, choose, in_turn)
        some_arrives(process, choose)
    elif what == 3:  # dead between two steps
        some_work(process, choose, in_turn)
        some_arrives(process, choose)
        pipeline.start(place)
        pipeline.zombies.pop()
    elif what == 4:  # paused, or cut off: the next owner is at work before it goes on
        some_work(process, choose, in_turn)
        pipeline.start(place)
        some_work(pipeline.processes[place], choose, in_turn)
    elif what == 5 and pipeline.zombies:
        zombie = pipeline.zombies[choose.below(len(pipeline.zombies))]
        some_work(zombie, choose, in_turn)
        some_arrives(zombie, choose)
    elif what == 6 and pipeline.zombies:
        pipeline.zombies[choose.below(len(pipeline.zombies))].drain()
    elif what == 7:
        again(pipeline, choose.number)


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
    """What of a run may not depend on crashes: orders and fills that count, and books. Keyed for a readable difference."""
    given, counts = pipeline.audited(), Counts()
    counted = read_books(counted_orders(given.submissions, counts), counted_reports(given.feedback, counts))
    orders = {each.order_id: (each.portfolio_id, each.code, each.direction, each.volume, each.price) for each in counted.orders.values()}
    fills = {key: (fill.filled_volume, fill.filled_price, fill.commission) for key, fill in counted.fills.items()}
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


def troubled(steps: Iterator[Step], trouble: Sequence[tuple[int, list[int]]]) -> Pipeline:
    """A course to its end, with trouble behind some of its steps: (number of the step, what happens there). The books agree.

    The topics are read in turn, so that what portfolios decide may be compared with a run without trouble.
    """
    pipeline = started()
    for number, step in enumerate(steps):
        step(pipeline)
        for at, numbers in trouble:
            if at == number:
                for each in numbers:
                    meddle(pipeline, each, in_turn=True)
        pipeline.settle()
    finish(pipeline)
    agree(pipeline)
    return pipeline


QUIET: dict[int, dict[str, Any]] = {}
NUMBERS = st.integers(0, 2**24)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3), st.lists(st.tuples(st.integers(0, 45), st.lists(NUMBERS, max_size=25)), max_size=8))
@example(0, [(36, [21458, 288628]), (37, [195])])  # a checkpoint in mid-replay: it committed what the windows did not have yet
def test_s9_1_any_crash_and_redelivery_between_two_ticks_changes_no_order_no_fill_and_no_cash(
    seed: int, trouble: list[tuple[int, list[int]]]
) -> None:
    pipeline = troubled(course(seed, together=False), trouble)
    if seed not in QUIET:
        QUIET[seed] = quiet(seed)
    assert outcome(pipeline) == QUIET[seed]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3), st.lists(NUMBERS, min_size=20, max_size=150))
def test_s9_1_books_agree_whatever_dies_and_in_whatever_order_topics_are_read(seed: int, numbers: Sequence[int]) -> None:
    pipeline = started()
    steps = course(seed, together=True)
    for number in numbers:
        if number % 2 and (step := next(steps, None)) is not None:
            step(pipeline)
        meddle(pipeline, number // 2)
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


def until(place: Place, topic: str) -> Pipeline:
    """An order of 1,000 shares, stopped where the process of `place` has an input of `topic` to take."""
    pipeline = Pipeline()
    pipeline.create(config(params=script({"10:00:03": f"buy {CODE}"})))
    pipeline.send(price("09:59:57", 10.0, prev_close=10.0))
    pipeline.checkpoint()
    pipeline.send(price("10:00:03", 10.0), settle=topic == MARKET_DATA)
    if topic == MARKET_DATA:  # the order is in the book: the next price fills it, and nobody reads the order again
        pipeline.checkpoint()
        pipeline.send(price("10:00:06", 10.0), settle=False, clock=False)
        return pipeline
    moved = True
    while moved:
        moved = False
        for at, process in pipeline.processes.items():
            for name in process.role.inputs:
                if (at, name) != (place, topic) and process.waiting(name):
                    process.take(name, process.waiting(name))
                    moved = True
            process.group()
            process.drain()
    return pipeline


def ended_after(pipeline: Pipeline, place: Place, steps: int, whole: bool, wakes: bool) -> bool:
    """The owner of a place commits (whole: a checkpoint) and ends after so many steps of it; another takes over, and it wakes up or not.
    Whether the commit has fewer steps than that."""
    process = pipeline.processes[place]
    if whole:
        process.checkpoint()
    else:
        process.group()
    done = sum(process.ack() or process.finish() for _ in range(steps))
    pipeline.start(place)
    pipeline.settle()
    if wakes:
        process.drain()
        pipeline.settle()
    return done < steps


PLACES = [
    (("portfolios", slot_of(PID)), TICKS), (("portfolios", slot_of(PID)), FEEDBACK), (("gateway", slot_of(PID)), SUBMISSION),
    (("exchange", 1), SIM_ORDERS), (("exchange", 1), MARKET_DATA),
]  # fmt: skip


@pytest.mark.parametrize("wakes", [False, True], ids=["dead", "wakes up"])
@pytest.mark.parametrize("whole", [False, True], ids=["group", "checkpoint"])
@pytest.mark.parametrize(("place", "topic"), PLACES)
def test_s9_1_owner_that_ends_after_any_step_of_its_commit_leaves_one_order_and_its_fills(
    place: Place, topic: str, whole: bool, wakes: bool
) -> None:
    steps, ended = 0, False
    while not ended:
        pipeline = until(place, topic)
        process = pipeline.processes[place]
        process.take(topic, process.waiting(topic))
        ended = ended_after(pipeline, place, steps, whole, wakes)
        pipeline.send(price("10:00:07", 10.0, volume=4_000))
        pipeline.send(price("10:00:08", 10.0))
        assert len({order.order_id for order in pipeline.orders()}) == 1
        assert pipeline.snapshot().positions[0].volume == 1_000
        assert {"order_ack", "order_filled"} <= set(pipeline.kinds(pipeline.orders()[0].order_id))
        report = pipeline.audit()
        assert (report.differences, report.pending, report.open) == ([], 0, 0)
        steps += 1
    assert steps > 2
