"""From the moment a node goes to the first order of the portfolios that it had, and what else makes portfolios pause.

Two nodes, one livecore, steady prices; some watched portfolios order at every price, ten times a second. What counts is the slowest of
those that moved: the first *new* order, read by a consumer; an order given again after recovery is none. In each repetition:

    kill       kill -9 of the older node, then a new node with an empty disk joins
    sigterm    SIGTERM of the older node, then the same
    join       how long the watched portfolios paused when that new node came: those that stayed on the other node, and those that moved
    migrate    a watched portfolio moves, as `ginkgo schedule migrate` does it: until its first order from there (bench/changes.py)
    reload     a watched portfolio takes another config: until the snapshot with the new version

    python -m bench.failover --repetitions 20                                    (with the peer: bench/peer.py)
    python -m bench.failover --acts kill --codes 100 1000 5000 --standbys 1 0    (takes each combination in turn)
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from bench import changes, peer, stage
from bench.pair import Pair, Size
from bench.process import LOOK_S
from bench.quantiles import Quantiles, quantiles

Figures = dict[str, float]
"""Seconds, by name."""


def taken_over(pair: Pair, end: Callable[[], None]) -> Figures:
    """The older node is ended by `end`; until all its watched portfolios have ordered on the other one, and the parts of that."""
    victim, heir = pair.nodes[0], pair.nodes[1]
    moved = pair.on(victim)
    if not moved:
        raise RuntimeError(f"{victim.name} has none of what is watched: its end shows nothing")
    began = time.monotonic()
    end()
    ordered = max(pair.traffic.answered(moved, began, [heir.name]).values())
    given = heir.wait_for(pair.marks.given, since=began)
    # A second rebalance may follow a first: the last one counts.
    claimed = [at for at in heir.seen(pair.marks.claimed, given) if at <= ordered][-1]
    loaded = [claimed, *(at for at in heir.seen(pair.marks.loaded, claimed) if at <= ordered + LOOK_S)][-1]
    return {
        "total": ordered - began, "detection": given - began, "assignment": claimed - given, "recovery": loaded - claimed,
        "first_order": ordered - loaded,
    }  # fmt: skip


def kill(pair: Pair) -> Figures:
    """kill -9 of the older node."""
    victim = pair.nodes[0]
    figures = taken_over(pair, lambda: victim.child.send(signal.SIGKILL))
    victim.kill()
    pair.leave(victim)
    return figures


def sigterm(pair: Pair) -> Figures:
    """SIGTERM of the older node."""
    victim = pair.nodes[0]
    figures = taken_over(pair, lambda: victim.child.send(signal.SIGTERM))
    if (status := victim.stop()) != 0:
        raise RuntimeError(f"{victim.name} ended with {status} after SIGTERM:\n{victim.end()}")
    pair.leave(victim)
    return figures


def join(pair: Pair) -> Figures:
    """A new node comes: the longest pauses of the watched portfolios, and until both nodes trade."""
    began = time.monotonic()
    before = set(pair.watched)
    new = pair.join()
    moved = set(pair.on(new))
    both = max(pair.traffic.answered(moved, began, [new.name]).values())
    now = time.monotonic()
    pause = pair.traffic.longest_pause
    return {"stayed": pause(before - moved, began, now), "moved": pause(moved, began, now), "start_to_both": both - began}


ACTS: Mapping[str, Callable[[Pair], Figures]] = {"kill": kill, "sigterm": sigterm, "migrate": changes.migrate, "reload": changes.reload}
ENDING = ("kill", "sigterm")
"""After these one node is left. They are what the peer does too."""


def repeated(pair: Pair, acts: Sequence[str], repetitions: int) -> dict[str, dict[str, Quantiles]]:
    """Each act so often, in turn; a new node joins after each that ends one."""
    found: dict[str, list[Figures]] = {}

    def note(name: str, figures: Figures) -> None:
        found.setdefault(name, []).append(figures)
        print(f"{len(found[name])}. {name}: {shown(figures)}", file=sys.stderr, flush=True)

    for _ in range(repetitions):
        for name in acts:
            note(name, ACTS[name](pair))
            if name in ENDING:
                note("join", join(pair))
            pair.traffic.forget(time.monotonic() - 1.0)
    return {name: {part: quantiles([each[part] for each in figures]) for part in figures[0]} for name, figures in found.items()}


def shown(figures: Figures) -> str:
    """One line of seconds."""
    return ", ".join(f"{name} {value:.2f}" for name, value in figures.items())


def measure(size: Size, acts: Sequence[str], repetitions: int, with_peer: bool) -> dict[str, Any]:
    """One size, on a broker of its own; then the peer, on another."""
    result: dict[str, Any] = {"codes": size.codes, "portfolios": size.portfolios, "standbys": size.standbys, "repetitions": repetitions}
    with_peer = with_peer and bool(set(acts) & set(ENDING))
    for who, staged in [("ours", stage.staged), *([("quix", peer.staged)] if with_peer else [])]:
        with tempfile.TemporaryDirectory() as name, staged(Path(name), size) as pair:
            result[who] = repeated(pair, acts if who == "ours" else [name for name in acts if name in ENDING], repetitions)
    return result


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--acts", nargs="+", choices=[*ACTS], default=[*ACTS])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--codes", type=int, nargs="+", default=[1_000])
    parser.add_argument("--portfolios", type=int, nargs="+", default=[10])
    parser.add_argument("--standbys", type=int, nargs="+", default=[1], choices=[0, 1])
    parser.add_argument("--no-peer", action="store_true", help="leave Quix Streams out")
    options = parser.parse_args()
    for codes, portfolios, standbys in product(options.codes, options.portfolios, options.standbys):
        size = Size(codes, portfolios, standbys)
        print(json.dumps(measure(size, options.acts, options.repetitions, not options.no_peer)), flush=True)


if __name__ == "__main__":
    main()
