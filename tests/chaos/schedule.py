"""What is disturbed, when and for how long: drawn from a seed, so that a run can be had again. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

NODES = ("node_1", "node_2", "node_3")
LIVECORES = ("livecore_1", "livecore_2")
WORKERS = (*NODES, *LIVECORES)
BROKER = "broker"
FULL_DISK_NODE = "node_3"
"""The node whose data folder lies on a disk of its own."""

SESSION_S = 3.0
"""Session time-out of the processes: a pause or a black hole that is to cost them their partitions lasts longer."""

SPREAD_S = 3.0
"""Within so many seconds the first disturbances of a round begin: they overlap."""

AGAIN = 0.5
"""How likely a process is disturbed once more."""

OF_WORKERS = ("kill", "term", "stop", "cut", "hole", "delay", "wipe")
OF_BROKER = ("broker_kill", "broker_restart", "broker_stop")
OF_NOBODY = ("clock",)
OF_OPERATORS = ("migrate", "disable", "reload", "halt")
KINDS = (*OF_WORKERS, "disk", *OF_BROKER, *OF_NOBODY, *OF_OPERATORS)

LASTS_S = {
    "kill": (0.0, 4.0), "term": (0.0, 2.0), "stop": (SESSION_S + 0.5, SESSION_S + 4.0), "cut": (0.5, SESSION_S + 4.0),
    "hole": (SESSION_S + 0.5, SESSION_S + 4.0), "delay": (2.0, 6.0), "wipe": (0.0, 2.0), "disk": (2.0, 5.0),
    "broker_kill": (0.0, 3.0), "broker_restart": (0.0, 2.0), "broker_stop": (0.5, SESSION_S + 2.0), "clock": (0.0, 0.0),
    "migrate": (0.0, 4.0), "disable": (0.0, 4.0), "reload": (0.0, 0.0), "halt": (0.5, 4.0),
}  # fmt: skip
"""Shortest and longest time in seconds from a disturbance to what ends it: the new start, SIGCONT, the healed connection. Of an operation,
from the command's end to its undoing; a reload stays."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """kind: one of KINDS. target: a process, the broker, or "" (of none). at_s: since the round's beginning. strength: 0 to 1, what a kind
    makes of it (how long a delay, how far back a clock)."""

    kind: str
    target: str
    at_s: float
    lasts_s: float
    strength: float

    @property
    def ends_s(self) -> float:
        """Since the round's beginning."""
        return self.at_s + self.lasts_s

    def __str__(self) -> str:
        return f"{self.kind} {self.target or 'market'} at {self.at_s:.1f} s for {self.lasts_s:.1f} s"


def rounds(seed: int, disturbances: int) -> Iterator[list[Disturbance]]:
    """Rounds until so many disturbances are drawn, each in order of time. In a round most processes are disturbed, and half of them
    again as soon as they come back, or again and again."""
    drawn = 0
    number = 0
    while drawn < disturbances:
        found = one_round(random.Random(f"{seed}/{number}"))[: disturbances - drawn]
        drawn += len(found)
        number += 1
        yield found


def one_round(rng: random.Random) -> list[Disturbance]:
    """The disturbances of a round."""
    found: list[Disturbance] = []
    for target in rng.sample(WORKERS, rng.randint(3, len(WORKERS))):
        first = _draw(rng, target, rng.uniform(0, SPREAD_S))
        found.append(first)
        if first.kind == "stop" and rng.random() < 0.5:
            # It is slow before it is stopped: so it holds what is not acknowledged, and sends it when it wakes up.
            begin = max(0.0, round(first.at_s - 1, 2))
            found.append(Disturbance("delay", target, begin, round(first.ends_s + 0.3 - begin, 2), round(rng.random() / 4, 2)))
        last = first
        while rng.random() < AGAIN:  # as it comes back or recovers
            last = _draw(rng, target, last.ends_s + rng.uniform(0.8, 3.0))
            found.append(last)
    if rng.random() < 0.3:
        found.append(_draw(rng, BROKER, rng.uniform(0, SPREAD_S)))
    if rng.random() < 0.5:
        found.append(_draw(rng, "", rng.uniform(0, SPREAD_S)))
    if rng.random() < 0.5:
        found.append(_draw_operation(rng))
    return sorted(found, key=lambda each: each.at_s)


def _draw(rng: random.Random, target: str, at_s: float) -> Disturbance:
    if target == BROKER:
        kinds: tuple[str, ...] = OF_BROKER
    elif target:
        kinds = (*OF_WORKERS, "disk") if target == FULL_DISK_NODE else OF_WORKERS
    else:
        kinds = OF_NOBODY
    kind = rng.choice(kinds)
    return Disturbance(kind, target, round(at_s, 2), round(rng.uniform(*LASTS_S[kind]), 2), round(rng.random(), 2))


def _draw_operation(rng: random.Random) -> Disturbance:
    kind = rng.choice(OF_OPERATORS)
    target = rng.choice(NODES) if kind in ("migrate", "disable") else ""
    return Disturbance(kind, target, round(rng.uniform(0, SPREAD_S), 2), round(rng.uniform(*LASTS_S[kind]), 2), round(rng.random(), 2))
