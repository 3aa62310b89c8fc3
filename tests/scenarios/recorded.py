"""A recorded session and its portfolios, through the backtest's machine: what the live pipeline is held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ginkgo_streams import messages as m
from ginkgo_streams.backtest.machine import Machine
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.feeds.simulation import SimulationSettings, Start, simulate
from ginkgo_streams.feeds.step import Step
from ginkgo_streams.partitioner import partition_of
from tests.scenarios.harness import MARKETS, PROFILE, config
from tests.unit.domain.market.shanghai import day

CODES = {
    "000001.SZ": 10.0, "000002.SZ": 8.5, "000333.SZ": 55.0, "002415.SZ": 31.0, "300750.SZ": 190.0, "600000.SH": 7.6, "600036.SH": 35.0,
    "600519.SH": 1_500.0, "601318.SH": 48.0, "688981.SH": 52.0, "830799.BJ": 12.0, "920002.BJ": 21.0,
}  # fmt: skip
"""A dozen, of every board, and their prices."""

IDS = [f"9f1c1f4e-5a0e-4b7e-8d5c-0a1b2c3d4e{n:02d}" for n in range(6)]
RANDOM = "RandomSignalStrategy"
TREND: tuple[str, Any] = ("TrendFollowStrategy", {"short_period": 3, "long_period": 8})

PORTFOLIOS: dict[str, tuple[float, dict[str, Any]]] = {
    IDS[0]: (1_000_000, config(*TREND, risks=[("PositionRatioRisk", {"max_position_ratio": 0.3, "max_total_position_ratio": 0.9})],
                               sizer={"name": "FixedAmountSizer", "params": {"amount": 150_000}})),
    IDS[1]: (300_000, config(RANDOM, {"seed": 5, "probability": 0.02}, volume=900, risks=[("LossLimitRisk", {"loss_limit": 1.0})])),
    IDS[2]: (2_000_000, config(*TREND, volume=30_000, codes=["000001.SZ", "600000.SH", "830799.BJ"])),
    IDS[3]: (50_000, config(RANDOM, {"seed": 9, "probability": 0.05}, volume=200,
                            risks=[("ProfitTargetRisk", {"profit_target": 0.5, "trailing_percent": 0.3, "partial_ratio": 0.5})])),
    IDS[4]: (500_000, config(RANDOM, {"seed": 2, "probability": 0.03}, sizer={"name": "FixedAmountSizer", "params": {"amount": 40_000}},
                             codes=["688981.SH", "300750.SZ", "920002.BJ", "600519.SH"])),
}  # fmt: skip


def session(
    first: str = "2026-11-19", count: int = 3, step_ms: int = 180_000, seed: int = 4, turnover: float = 4e7, keep: int = 100_000
) -> list[Step]:
    """Some days of a dozen codes. The turnover is small, so that orders fill in parts. keep: price steps of each half of a day."""
    made = SimulationSettings(initial_prices=CODES, seed=seed, event_step_ms=step_ms, daily_turnover=turnover, ticks_per_second=0)
    steps: list[Step] = []
    days: list[int] = []
    in_a_row = 0
    for step in simulate(made, Start(day(first)), PROFILE):
        of = PROFILE.calendar_day(step.time_ms)
        if of not in days:
            days.append(of)
            if len(days) > count:
                break
        in_a_row = in_a_row + 1 if step.updates else 0
        if in_a_row <= keep:
            steps.append(step)
    return steps


def commands(given: dict[str, tuple[float, dict[str, Any]]], time: int) -> list[m.ControlCommand]:
    """Create and start every portfolio."""
    made: list[m.ControlCommand] = []
    for pid, (cash, content) in given.items():
        params = {"name": pid, "user_id": "u1", "initial_cash": cash, "config": content}
        kinds: list[tuple[Any, dict[str, Any]]] = [("portfolio.create", params), ("portfolio.start", {})]
        for kind, with_params in kinds:
            made.append(m.ControlCommand(
                command_id=f"{pid[-2:]}/{kind}", command_type=kind, target_id=pid, params=with_params, timestamp=m.iso(time),
                issued_by="me",
            ))  # fmt: skip
    return made


def backtested(
    steps: Sequence[Step], given: dict[str, tuple[float, dict[str, Any]]], *, fills_first: bool = True,
    rules: ExchangeSettings | None = None,
    profile: Profile = PROFILE, markets: int = MARKETS, on_step: Callable[[Machine], None] = lambda machine: None,
) -> Machine:  # fmt: skip
    """The session through the machine: of each step the clock, then the prices in the order in which a topic of so many partitions gives
    them. on_step: called behind each."""
    from ginkgo_streams.backtest.journal import Journal

    machine = Machine(profile, rules or ExchangeSettings(), fills_first=fills_first)
    for command in commands(given, steps[0].time_ms - 60_000):
        machine.journals.setdefault(command.target_id, Journal())
        machine.command(m.command(m.decode(m.encode(command), m.ControlCommand)))
    for step in steps:
        machine.clock(step.time_ms)
        if step.updates:
            updates = sorted(step.updates, key=lambda update: partition_of(update.code, markets))
            machine.quotes(m.quotes([m.decode(m.encode(update), m.PriceUpdate) for update in updates]))
        on_step(machine)
    return machine


def books(portfolio: Portfolio) -> dict[str, Any]:
    """Everything of a portfolio's value that trading decides."""
    value: dict[str, Any] = msgspec.to_builtins(portfolio)
    return value
