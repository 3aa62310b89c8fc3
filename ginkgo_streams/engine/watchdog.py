"""Ends a process that makes no progress while it has something to do: Faust's consumers are known to stop quietly."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from faust.types import TP

from ginkgo_streams.engine import internals
from ginkgo_streams.engine.fatal import die
from ginkgo_streams.engine.runner import Runner

log = logging.getLogger("ginkgo.engine")

LOOK_S = 5.0
STUCK_LOOKS = 8
"""40 s without progress in spite of lag, or in a rebalance or a recovery: longer than a broker's restart, shorter
than a person's patience. Looks are counted, not seconds, so that a process that was stopped itself does not
take its own sleep for a stuck consumer."""


async def watch(app: Any, runners: list[Runner]) -> None:
    """Look every few seconds, for ever."""
    stuck, before = 0, -1
    while True:
        await asyncio.sleep(LOOK_S)
        progress = sum(runner.progress for runner in runners)
        behind = app.rebalancing or app.in_recovery or _lags(app, runners)
        stuck = stuck + 1 if behind and progress == before else 0
        before = progress
        if stuck >= STUCK_LOOKS:
            die(f"no progress for {STUCK_LOOKS * LOOK_S:g} s although there is work")


def _lags(app: Any, runners: list[Runner]) -> bool:
    for runner in runners:
        if runner.backlog():
            return True
        for index, owned in runner.slots.items():
            for topic in runner.inputs:
                end = internals.highwater(app, TP(topic, index))
                if end is not None and end > owned.applied.get(topic, -1) + 1:
                    return True
    return False
