"""Ends a process that makes no progress while it has something to do: Faust's consumers are known to stop quietly."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from faust.types import TP

from ginkgo_streams.engine import internals
from ginkgo_streams.engine.fatal import die
from ginkgo_streams.engine.runner import Runner

LOOK_S = 5.0
STUCK_LOOKS = 8
"""40 s without progress in spite of lag, or in a rebalance or a recovery: longer than a broker's restart, shorter
than a person's patience. Looks are counted, not seconds, so that a process that was stopped itself does not
take its own sleep for a stuck consumer."""

Place = tuple[str, int, str]
"""(runner, slot, topic); ("app", 0, "") for a rebalance or a recovery that does not end."""


async def watch(app: Any, runners: list[Runner]) -> None:
    """Look every few seconds, for ever: one partition that stands still is enough."""
    standing: dict[Place, tuple[int, int]] = {}
    while True:
        await asyncio.sleep(LOOK_S)
        standing = look(standing, behind(app, runners))
        for place, (_, looks) in standing.items():
            if looks >= STUCK_LOOKS:
                die(f"no progress for {STUCK_LOOKS * LOOK_S:g} s although there is work: {place}")


def look(before: Mapping[Place, tuple[int, int]], now: Mapping[Place, int]) -> dict[Place, tuple[int, int]]:
    """For each place that is behind: where it stands, and at how many looks in a row it stood there."""
    return {place: (at, before[place][1] + 1 if before.get(place, (-1, 0))[0] == at else 1) for place, at in now.items()}


def behind(app: Any, runners: list[Runner]) -> dict[Place, int]:
    """Where there is something to do, and how far it has got."""
    found: dict[Place, int] = {}
    if app.rebalancing or app.in_recovery:
        found["app", 0, ""] = sum(runner.progress for runner in runners) + internals.generation(app)
    for runner in runners:
        for index, owned in runner.slots.items():
            for topic in runner.inputs:
                end, at = internals.highwater(app, TP(topic, index)), owned.delivered.get(topic, -1)
                if end is not None and end > at + 1:
                    found[runner.name, index, topic] = at
    return found
