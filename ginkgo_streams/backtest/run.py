"""One backtest: bars driven through the machine, moment by moment, and what came of it for each portfolio."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ginkgo_streams.backtest.finalize import close_positions
from ginkgo_streams.backtest.machine import Machine
from ginkgo_streams.backtest.stretches import stretches
from ginkgo_streams.bars.columns import Bars
from ginkgo_streams.domain.config import BadConfig, build
from ginkgo_streams.domain.events import TS
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.money import parse_cny
from ginkgo_streams.domain.registry import Registry, builtin

Progress = Callable[[int], None]
"""Told how many bars are done."""

BEFORE_MS = 1
"""ms before the first bar at which portfolios are created."""


class BadPortfolio(ValueError):
    """A portfolio that cannot be run: all that is wrong with it, and what would be right."""


@dataclass(frozen=True, slots=True)
class PortfolioSpec:
    """A portfolio to run. initial_cash: CNY. config: as in the quickstart."""

    portfolio_id: str
    name: str
    initial_cash: float | int | str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run. finalize: close what is held at the end at the last close."""

    portfolios: Sequence[PortfolioSpec]
    bars: Bars
    profile: Profile
    rules: ExchangeSettings
    finalize: bool = False
    registry: Registry = builtin


def check_spec(spec: PortfolioSpec, registry: Registry = builtin) -> None:
    """Raise BadPortfolio, with all that is wrong, where a portfolio cannot be run."""
    errors: list[str] = []
    try:
        if parse_cny(spec.initial_cash) <= 0:
            errors.append(f"initial_cash is {spec.initial_cash!r}; it has to be more than 0")
    except ValueError as error:
        errors.append(f"initial_cash: {error}")
    try:
        build(spec.config, registry)
    except BadConfig as error:
        errors += error.errors
    if errors:
        raise BadPortfolio(f"portfolio {spec.name!r}: " + "; ".join(errors))


def run(plan: Plan, progress: Progress = lambda done: None, *, passing: bool = True) -> Machine:
    """The machine at the end of the run. passing: whether what bars alone decide is reckoned
    beforehand (see `stretches`); the result is the same.

    Raises BadPortfolio before it, RunFailed with the bar where a portfolio fails.
    """
    for spec in plan.portfolios:
        check_spec(spec, plan.registry)
    machine = Machine(plan.profile, plan.rules, plan.registry)
    bars, profile = plan.bars, plan.profile
    first = int(bars.data[TS, 0])
    for spec in plan.portfolios:
        machine.create(spec.portfolio_id, spec.name, spec.initial_cash, spec.config, first - BEFORE_MS)
    edges = bars.edges
    moments = bars.data[TS, edges[:-1]]
    days = trading_days(profile, moments)
    actions = [action for action in bars.actions if int(days[0]) < action.day <= int(days[-1])]
    plain = stretches(bars, days, machine.portfolios, profile) if passing else None
    day = int(days[0])
    moment, places, of_moment = 0, edges.tolist(), days.tolist()
    while moment < len(of_moment):
        of = of_moment[moment]
        if of > day:
            machine.clock(profile.close_ts(day) + 1)
            while actions and actions[0].day <= of:
                machine.action(actions.pop(0))
            day = of
        if plain is None:
            machine.quotes(bars.part(places[moment], places[moment + 1]))
        else:
            end = plain.end(moment)
            machine.known(plain.seen(end), of, plain.between(moment, end))
            moment = end
        moment += 1
        progress(places[moment])
    if plan.finalize:
        close_positions(machine, int(moments[-1]))
    machine.clock(profile.close_ts(day) + 1)
    return machine


def trading_days(profile: Profile, moments: np.typing.NDArray[np.int64]) -> np.typing.NDArray[np.int64]:
    """The trading day (ordinal) of each moment. moments: ms, ascending."""
    days = np.empty(len(moments), np.int64)
    start = 0
    while start < len(moments):
        day = profile.trading_day(int(moments[start]))
        end = int(np.searchsorted(moments, profile.close_ts(day), "right"))
        days[start:end] = day
        start = end
    return days
