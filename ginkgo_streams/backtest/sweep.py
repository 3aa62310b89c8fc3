"""Many parameter sets over the same bars, on all cores: a table and a heat map of what came of them."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import msgspec

from ginkgo_streams.backtest.machine import RunFailed
from ginkgo_streams.backtest.prepare import with_params
from ginkgo_streams.backtest.result import results
from ginkgo_streams.backtest.run import BadPortfolio, Plan, check_spec, run
from ginkgo_streams.backtest.statistics import Statistics

MOST = 10_000
"""Sets that one sweep may have."""


class SetResult(msgspec.Struct, frozen=True):
    """One parameter set: its figures, or why it could not be run."""

    params: dict[str, Any]
    statistics: Statistics | None
    final_value: float | None = None
    error: str = ""

    def figure(self, name: str) -> float | None:
        """A figure by name; None where it is not defined."""
        value = None if self.statistics is None else getattr(self.statistics, name)
        return None if value is None else float(value)


class BadSweep(ValueError):
    """A sweep that cannot be: the text says why."""


def grid(params: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """All combinations, the last parameter changing fastest. Raises BadSweep."""
    if not params:
        raise BadSweep("no parameter to sweep; give one such as --param strategy.short_period=5,10,20")
    sets = [dict(zip(params, values, strict=True)) for values in itertools.product(*params.values())]
    if len(sets) > MOST:
        raise BadSweep(f"{len(sets)} parameter sets are more than {MOST}; name fewer values")
    return sets


def sweep(
    plan: Plan, params: Mapping[str, Sequence[Any]], jobs: int, progress: Callable[[int], None] = lambda done: None
) -> list[SetResult]:
    """The result of every set, in order, `jobs` at a time. A set that is refused or fails has its reason. Raises BadSweep."""
    sets = grid(params)
    for path in params:  # a parameter that is nowhere is the user's slip, not a bad set
        with_params(plan.portfolios[0].config, {path: params[path][0]})
    found: list[SetResult] = []
    if jobs == 1 or len(sets) == 1:
        for each in sets:
            found.append(_one(plan, each))
            progress(len(found))
        return found
    # spawn: a fork of a process with threads (numpy's, the progress bar's) may hang
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(sets)), mp_context=context, initializer=_start, initargs=(plan,)) as pool:
        for result in pool.map(_in_worker, sets):
            found.append(result)
            progress(len(found))
    return found


_plan: Plan | None = None


def _start(plan: Plan) -> None:
    global _plan
    _plan = plan


def _in_worker(params: dict[str, Any]) -> SetResult:
    assert _plan is not None
    return _one(_plan, params)


def _one(plan: Plan, params: dict[str, Any]) -> SetResult:
    spec = plan.portfolios[0]
    try:
        changed = replace(spec, config=with_params(spec.config, params))
        check_spec(changed, plan.registry)
        this = replace(plan, portfolios=[changed])
        result = results(this, run(this))[0]
    except (BadPortfolio, RunFailed) as error:
        return SetResult(params, None, None, str(error))
    return SetResult(params, result.statistics, float(result.final_value))
