"""Ends a process that makes no progress while it has something to do: Faust's consumers are known to stop quietly."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from ginkgo_streams.engine import internals
from ginkgo_streams.engine.fatal import die, die_beside
from ginkgo_streams.engine.runner import Runner

LOOK_S = 5.0
STUCK_LOOKS = 8
"""40 s without progress in spite of lag, in a rebalance, or in a recovery (which may take as long as it reads on): longer than a broker's
restart, shorter than a person's patience. Looks are counted, not seconds, so that a process that was stopped itself does not take its
own sleep for a stuck consumer."""

Place = tuple[str, int, str]
"""(runner, slot, topic); ("app", 0, "") for a rebalance or a recovery that does not end."""


async def watch(app: Any, runners: list[Runner]) -> None:
    """Look every few seconds, for ever: one partition that stands still is enough."""
    standing: dict[Place, tuple[int, int]] = {}
    try:
        while True:
            await asyncio.sleep(LOOK_S)
            standing = look(standing, await behind(app, runners))
            for place, (_, looks) in standing.items():
                if looks >= STUCK_LOOKS:
                    die(f"no progress for {STUCK_LOOKS * LOOK_S:g} s although there is work: {place}{_how(app, runners, place)}")
    except Exception as error:
        die(f"watchdog: {type(error).__name__}: {error}", error)


class Pulse:
    """Ends the process when its event loop stands still, as in a strategy that never returns: the consumer's thread would go on
    telling the group that all is well."""

    def __init__(self) -> None:
        """Begin, in the loop that is watched."""
        self._beats = 0
        self._beating = asyncio.ensure_future(self._beat())
        self._ended = threading.Event()
        threading.Thread(target=self._watch, args=(threading.get_ident(),), name="pulse", daemon=True).start()

    def end(self) -> None:
        """Watch no more."""
        self._ended.set()
        internals.cancel_quietly(self._beating)

    async def _beat(self) -> None:
        while True:
            self._beats += 1
            await asyncio.sleep(LOOK_S / 2)

    def _watch(self, loops_thread: int) -> None:
        seen = looks = 0
        while not self._ended.wait(LOOK_S):
            seen, looks = self._beats, looks + 1 if self._beats == seen else 0
            if looks >= STUCK_LOOKS:
                stack = "".join(traceback.format_stack(sys._current_frames()[loops_thread]))
                die_beside(f"the event loop has stood still for {STUCK_LOOKS * LOOK_S:g} s, in\n{stack}")


def look(before: Mapping[Place, tuple[int, int]], now: Mapping[Place, int]) -> dict[Place, tuple[int, int]]:
    """For each place that is behind: where it stands, and at how many looks in a row it stood there."""
    return {place: (at, before[place][1] + 1 if place in before and before[place][0] == at else 1) for place, at in now.items()}


async def behind(app: Any, runners: list[Runner]) -> dict[Place, int]:
    """Where there is something to do, and how far it has got."""
    found: dict[Place, int] = {}
    ends = await _ends(app, [TP(topic, index) for runner in runners for index in runner.slots for topic in runner.inputs])
    if app.rebalancing or app.in_recovery:
        found["app", 0, ""] = sum(runner.progress for runner in runners) + internals.generation(app) + internals.recovered(app)
    for runner in runners:
        for index, owned in runner.slots.items():
            for topic in runner.inputs:
                at = owned.delivered.get(topic, -1)
                if ends.get(TP(topic, index), 0) > at + 1:
                    found[runner.name, index, topic] = at
        if runner.waiting:
            found[runner.name, -1, ""] = runner.progress
    return found


def _how(app: Any, runners: list[Runner], place: Place) -> str:
    """How the reading of an input stands that stands still."""
    name, index, topic = place
    if index < 0 or not topic:
        return ""
    runner = next(runner for runner in runners if runner.name == name)
    at = runner.slots[index].delivered.get(topic) if index in runner.slots else None
    return f": taken to {at} of generation {internals.generation(app)}; {internals.reading(app, TP(topic, index))}"


async def _ends(app: Any, tps: list[TP]) -> dict[TP, int]:
    """Where inputs end. Asked of the broker, for what a consumer that stopped fetching knows of it is old or nothing; where it does
    not answer there is nothing that one could be behind of."""
    try:
        async with asyncio.timeout(LOOK_S):
            return await internals.end_offsets(app, tps) if tps else {}
    except (TimeoutError, KafkaError):
        return {}
