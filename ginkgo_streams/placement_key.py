"""From a key to its slot: the partition that any Kafka producer with the default partitioner gives it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from uuid import uuid4

from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.topics import SLOTS


def slot_of(key: str, slots: int) -> int:
    """The partition of a key (as UTF-8) among `slots` of them: murmur2 without its sign, modulo, as Kafka's own clients do."""
    return partition_of(key, slots)


def weights(portfolio_ids: Iterable[str], slots: int) -> dict[int, int]:
    """How many portfolios each slot has; slots without any are in it with 0."""
    counts = dict.fromkeys(range(slots), 0)
    for portfolio_id in portfolio_ids:
        counts[slot_of(portfolio_id, slots)] += 1
    return counts


def mint_portfolio_id(weights: Mapping[int, int] | None = None, slots: int = SLOTS) -> str:
    """A random UUID whose slot is one of the emptiest. weights: portfolios per slot; None: any slot will do.

    Two that mint at once may choose the same slot; the sum stays even, as most choices are random among many.
    """
    least = min((weights or {}).get(slot, 0) for slot in range(slots))
    emptiest = [slot for slot in range(slots) if (weights or {}).get(slot, 0) == least]
    wanted = set(emptiest) if weights is None else {random.choice(emptiest)}
    while True:
        portfolio_id = str(uuid4())
        if slot_of(portfolio_id, slots) in wanted:
            return portfolio_id
