"""What placement and routing cost as a cluster grows, without a broker: CPU of one process, best of a few.

Placement: `place()` for a first start, the same again (what most rebalances are), one node that leaves, one that joins, weights that
have all changed, and nodes that together have room for half of the portfolios only. Router: what one round of all codes costs livecore,
from `add` to the encoded messages for every slot that wants the code: a few hundred codes of each slot's own, or all.

    python -m bench.scale
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable
from typing import Any

from bench.backlog import Market
from ginkgo_streams.engine.placement import Node, Placement, place
from ginkgo_streams.routing import Interest, Router

PLACEMENTS = ((24, 3, 100), (240, 10, 500), (1_024, 100, 5_000), (10_000, 1_000, 50_000))
"""(slots, nodes, portfolios). 1,024 slots are the most that can be configured."""

ROUTES = ((24, 500, 0), (24, 5_000, 0), (24, 5_000, 500), (240, 5_000, 500), (1_024, 5_000, 500), (1_024, 5_000, 0))
"""(slots, codes, codes that a slot wants; 0: all)."""

STEP = 1_000
"""Updates in one message of the feed."""


def best_ms(work: Callable[[], object], times: int = 3) -> float:
    """The shortest of some runs, ms of CPU."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return round(min(spent) * 1000, 1)


def placement(slots: int, nodes: int, portfolios: int) -> dict[str, Any]:
    """ms of place() in each situation. Portfolios are spread at random, by a seed."""
    drawn = random.Random(1)

    def weights() -> dict[int, int]:
        found = dict.fromkeys(range(slots), 0)
        for _ in range(portfolios):
            found[drawn.randrange(slots)] += 1
        return found

    now, later = weights(), weights()
    all_nodes = [Node(f"node-{n:04d}") for n in range(nodes)]

    def placed(nodes: list[Node], weights: dict[int, int], before: Placement | None) -> Placement:
        if before is None:
            return place(slots, nodes, weights=weights)
        return place(slots, nodes, weights=weights, previous=before.active, previous_standby=before.standby)

    half = max(1, portfolios // nodes // 2)
    before = placed(all_nodes, now, None)
    return {
        "slots": slots, "nodes": nodes, "portfolios": portfolios,
        "first_ms": best_ms(lambda: placed(all_nodes, now, None)), "again_ms": best_ms(lambda: placed(all_nodes, now, before)),
        "leave_ms": best_ms(lambda: placed(all_nodes[1:], now, before)),
        "join_ms": best_ms(lambda: placed([*all_nodes, Node("node-new")], now, before)),
        "weights_ms": best_ms(lambda: placed(all_nodes, later, before)),
        "too_full_ms": best_ms(lambda: placed([Node(node.node_id, half) for node in all_nodes], later, before)),
    }  # fmt: skip


def router(slots: int, codes: int, wanted: int) -> dict[str, Any]:
    """CPU ms of one round of all codes, in messages of STEP updates, and how many copies of them go out."""
    market = Market(codes, 1_000)
    drawn = random.Random(1)
    interest: dict[int, Interest] = {slot: frozenset(drawn.sample(market.codes, wanted)) if wanted else "*" for slot in range(slots)}
    sent_bytes = 0

    async def send(slot: int, message: bytes) -> object:
        nonlocal sent_bytes
        sent_bytes += len(message)
        return None

    routed = Router(lambda: interest, send, window_s=0.0)

    async def one_round() -> None:
        for _ in range(max(1, codes // STEP)):
            await routed.add(market.next(min(STEP, codes)))

    asyncio.run(one_round())  # the matrix of who wants what is built with the first
    before, sent_bytes = routed.quotes, 0
    spent = best_ms(lambda: asyncio.run(one_round()))
    copies = (routed.quotes - before) // 3
    return {
        "slots": slots, "codes": codes, "wanted": wanted or codes, "round_ms": spent, "copies": copies,
        "us_per_update": round(spent * 1000 / codes, 1), "us_per_copy": round(spent * 1000 / copies, 2), "mb": round(sent_bytes / 3e6, 1),
    }  # fmt: skip


def measure() -> dict[str, Any]:
    """All sizes."""
    return {"placement": [placement(*size) for size in PLACEMENTS], "router": [router(*size) for size in ROUTES]}


def main() -> None:
    """The command."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for rows in measure().values():
        for row in rows:
            print(json.dumps(row))


if __name__ == "__main__":
    main()
