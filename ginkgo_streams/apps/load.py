"""Too much for a node: events that wait, a processor or a memory that is full. An alert says so; nothing is dropped, Kafka holds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
from aiokafka.errors import KafkaError
from faust.types import TP

from ginkgo_streams.apps.alerts import Severity, raise_alert
from ginkgo_streams.engine import internals
from ginkgo_streams.engine.fatal import die
from ginkgo_streams.engine.runner import Runner

log = logging.getLogger("ginkgo.node")

LOOK_S = 1.0

PUBLISH_S = 10.0
"""How long an alert may take. One that is given up is in the log."""

QUEUE_MAX = 1_000
"""Events of a slot that may wait; a market at its peak brings about 100 a second."""

QUEUE: Mapping[Severity, float] = {"warning": 0.70 * QUEUE_MAX, "critical": 0.95 * QUEUE_MAX}
CPU: Mapping[Severity, float] = {"warning": 0.90}
"""Of one core, by the thread that applies events."""
MEMORY: Mapping[Severity, float] = {"warning": float(1 << 30)}
"""Bytes resident."""

QUEUE_LOOKS = 2
"""A slot that has just moved catches up within one."""
LOAD_LOOKS = 10


@dataclass(slots=True)
class Gauge:
    """How high something stands. A level counts when it was reached, or was left, at so many looks in a row."""

    levels: Mapping[Severity, float]
    looks: int
    level: Severity | None = None
    _other: Severity | None = None
    _times: int = 0

    def rises(self, value: float) -> bool:
        """Take a look; whether a higher level than before counts from now on (`level`)."""
        there = [name for name in self.levels if value >= self.levels[name]]
        reached = max(there, key=self.levels.__getitem__, default=None)
        if reached == self.level:
            self._times = 0
            return False
        self._times = self._times + 1 if reached == self._other else 1
        self._other = reached
        if self._times < self.looks:
            return False
        was, self.level, self._times = self.level, reached, 0
        return reached is not None and (was is None or self.levels[reached] > self.levels[was])


@dataclass(frozen=True, slots=True)
class Trouble:
    """An alert to be raised."""

    alert_type: str
    severity: Severity
    text: str
    details: dict[str, Any]


@dataclass(slots=True)
class Gauges:
    """All that a node watches of itself."""

    slots: dict[int, Gauge] = field(default_factory=dict)
    cpu: Gauge = field(default_factory=lambda: Gauge(CPU, LOAD_LOOKS))
    memory: Gauge = field(default_factory=lambda: Gauge(MEMORY, LOAD_LOOKS))

    def look(self, waiting: Mapping[int, int], portfolios: Callable[[int], Sequence[str]], cpu: float, memory: int) -> list[Trouble]:
        """waiting: events by slot; slots that are not ours any more are forgotten. cpu: of one core. memory: bytes."""
        found = []
        self.slots = {slot: self.slots.get(slot) or Gauge(QUEUE, QUEUE_LOOKS) for slot in waiting}
        for slot, events in waiting.items():
            gauge = self.slots[slot]
            if gauge.rises(events) and gauge.level:
                ids = list(portfolios(slot))
                share = f"{events / QUEUE_MAX:.0%} of {QUEUE_MAX}"
                text = f"{events} events wait for the {len(ids)} portfolios of slot {slot}, {share}: they stay in Kafka, none is dropped"
                details = {"slot": slot, "portfolio_ids": ids, "queue_size": events, "queue_max": QUEUE_MAX}
                found.append(Trouble("queue_full", gauge.level, text, details))
        for name, gauge, value, text in (
            ("cpu", self.cpu, cpu, f"the processor is {cpu:.0%} busy"),
            ("memory", self.memory, float(memory), f"the process has {memory >> 20} MB in memory"),
        ):
            if gauge.rises(value) and gauge.level:
                details = {"resource": name, "value": value, "bound": gauge.levels[gauge.level]}
                found.append(Trouble("resource_high", gauge.level, f"{text}, for {gauge.looks * LOOK_S:g} s", details))
        return found


async def warn(app: Any, trouble: Trouble) -> None:
    """Say it in the log and as an alert of this node's."""
    log.log(logging.CRITICAL if trouble.severity == "critical" else logging.WARNING, "%s", trouble.text)
    try:
        async with asyncio.timeout(PUBLISH_S):
            await (await raise_alert(app, trouble.alert_type, trouble.severity, app.engine.node_id, trouble.text, trouble.details))
    except (KafkaError, TimeoutError) as error:
        log.warning("The alert %s could not be published: %r", trouble.alert_type, error)


def waiting(app: Any, runner: Runner) -> dict[int, int]:
    """Of each slot that is ours, the inputs in Kafka that it has not taken, as the last fetches saw them."""
    found = {}
    for index, owned in runner.slots.items():
        ends = {topic: internals.highwater(app, TP(topic, index)) for topic in runner.inputs}
        found[index] = sum(max(end - owned.delivered.get(topic, -1) - 1, 0) for topic, end in ends.items() if end is not None)
    return found


async def watch_load(app: Any, runner: Runner, portfolios: Callable[[int], Sequence[str]]) -> None:
    """Look every second, for ever. To be run in the loop, and so in the thread, that applies events."""
    gauges, process = Gauges(), psutil.Process()
    try:
        busy, at = time.thread_time(), time.monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            spent, now = time.thread_time(), time.monotonic()
            cpu, busy, at = (spent - busy) / (now - at), spent, now
            for trouble in gauges.look(waiting(app, runner), portfolios, cpu, process.memory_info().rss):
                await warn(app, trouble)
    except Exception as error:
        die("watching the load", error)
