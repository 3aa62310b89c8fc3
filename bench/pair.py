"""Two processes that share portfolios (or a peer's keys) under steady traffic: what the benchmarks of failures break.

Each process that is started is a new one with an empty disk, and it is always the older one that goes: so the other has of what moves
to it what it keeps as a standby, or nothing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.process import TIMEOUT_S, Process
from bench.traffic import Traffic
from ginkgo_streams.local.process import wait_for

SESSION_TIMEOUT_S = 3
HEARTBEAT_S = 0.1
SETTLE_S = 3.0
"""After one has come: standby copies are read, the broker's work is done."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much state there is: portfolios with windows of so many codes, and standby copies of each slot."""

    codes: int = 1_000
    portfolios: int = 10
    standbys: int = 1

    def __str__(self) -> str:
        return f"{self.codes:,} codes, {self.portfolios:,} portfolios, {'a' if self.standbys else 'no'} standby"


@dataclass(frozen=True, slots=True)
class Marks:
    """The lines of a process that say: partitions are given up, are ours, are recovered."""

    given: str
    claimed: str
    loaded: str


@dataclass(slots=True)
class Pair:
    """start: a process of that name, just started; disk: where it keeps its copies; watched: the keys that are looked at.

    nodes: what runs, in the order in which it was started.
    """

    bootstrap: str
    watched: list[str]
    traffic: Traffic
    start: Callable[[str], Process]
    disk: Callable[[str], Path]
    marks: Marks
    nodes: list[Process] = field(default_factory=list)
    started: int = 0

    def new_node(self) -> Process:
        """One that was never there before, just started."""
        self.started += 1
        self.nodes.append(self.start(f"node_{self.started}"))
        return self.nodes[-1]

    def join(self) -> Process:
        """Start one and wait until both answer, and what follows has settled. Raises RuntimeError where they do not share the keys."""
        new = self.new_node()
        new.wait_for(self.marks.claimed)
        # Ours gets its share when it has copies of it.
        if not wait_for(lambda: 0 < len(self.on(new)) < len(self.watched), TIMEOUT_S):
            raise RuntimeError(f"after {new.name} came, all that is watched is on {', '.join(sorted(set(self.traffic.owners().values())))}")
        self.traffic.answered(self.watched, time.monotonic(), [each.name for each in self.nodes])
        time.sleep(SETTLE_S)
        return new

    def leave(self, gone: Process) -> None:
        """Forget one that has ended, and its disk."""
        self.nodes.remove(gone)
        shutil.rmtree(self.disk(gone.name), ignore_errors=True)

    def on(self, owner: Process) -> list[str]:
        """The watched keys that it has."""
        return [key for key, name in self.traffic.owners().items() if name == owner.name]

    def close(self) -> None:
        """End all of it at once. Raises what went wrong with the traffic."""
        for each in self.nodes:
            each.kill()
        self.traffic.stop()
