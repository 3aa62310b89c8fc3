"""The backtest is the live system: a recorded session through the live pipeline, every hop as bytes, and through the backtest."""

from __future__ import annotations

from typing import Any

import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.domain.events import Report
from ginkgo_streams.topics import CONTROL, FEEDBACK
from tests.scenarios.harness import Pipeline
from tests.scenarios.recorded import PORTFOLIOS, backtested, books, commands, session


class Lockstep(Pipeline):
    """The pipeline, in which a fill is booked before its portfolio sees the price that gave it, or behind it."""

    fills_first = True

    def settle(self) -> None:
        """As `Pipeline.settle`; of what waits for portfolios, reports come first."""
        moved = True
        while moved:
            moved = False
            for process in self.processes.values():
                topics = sorted(process.role.inputs, key=lambda topic: topic != FEEDBACK) if self.fills_first else process.role.inputs
                for topic in topics:
                    if count := process.waiting(topic):
                        process.take(topic, count)
                        moved = True
                process.group()
                process.drain()


def live(steps: Any, *, fills_first: bool, killed_at: int | None = None) -> Pipeline:
    """The session through the pipeline, the next step when nothing is on its way. killed_at: the step behind which every process is
    replaced by one with an empty disk."""
    pipeline = Lockstep()
    pipeline.fills_first = fills_first
    for command in commands(PORTFOLIOS, steps[0].time_ms - 60_000):
        pipeline.broker.send(CONTROL, command.target_id.encode(), m.encode(command))
        pipeline.settle()
    for number, step in enumerate(steps):
        pipeline.clock(step.time_ms)
        if step.updates:
            pipeline.send(*step.updates, clock=False)
        if number % 20 == 0:
            pipeline.checkpoint()
        if number == killed_at:
            for place in list(pipeline.processes):
                pipeline.start(place)
            pipeline.settle()
    return pipeline


@pytest.mark.parametrize(("fills_first", "killed_at"), [(True, None), (False, None), (True, 101)])
def test_a_recorded_session_when_run_live_and_in_the_backtest_then_orders_fills_fees_cash_and_positions_are_the_same(
    fills_first: bool, killed_at: int | None
) -> None:
    steps = session()
    pipeline = live(steps, fills_first=fills_first, killed_at=killed_at)
    machine = backtested(steps, PORTFOLIOS, fills_first=fills_first)

    orders = {order.order_id: m.order(order) for order in pipeline.orders()}
    tested = {order_id: line.order for journal in machine.journals.values() for order_id, line in journal.orders.items()}
    assert orders == tested
    reports: dict[tuple[str, int], Report] = {(r.order_id, r.report_seq): r for r in map(m.report, pipeline.reports())}
    of_exchange = {(r.order_id, r.report_seq): r for r in machine.exchange.reports() if (r.order_id, r.report_seq) in reports}
    assert reports == of_exchange
    fills = {r.trade_id: r for r in reports.values() if r.trade_id}
    assert fills == {fill.report.trade_id: fill.report for journal in machine.journals.values() for fill in journal.fills}

    parts = sum(r.kind == "partially_filled" for r in fills.values())
    sells = sum(r.direction < 0 for r in fills.values())
    assert len(fills) > 100
    assert parts > 10
    assert sells > 20
    for pid in PORTFOLIOS:
        one, other = books(pipeline.portfolio(pid)), books(machine.portfolios.portfolios[pid])
        if killed_at is not None:  # reports that a recovery repeats are counted as such
            for each in (one, other):
                each.get("drops", {}).pop("duplicate_report", None)
        assert one == other
    assert pipeline.audit().ok
