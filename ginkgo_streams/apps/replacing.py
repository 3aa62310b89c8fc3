"""When people decide something about the placement, the group's leader asks all members for a new one. There is no other scheduler.

A follower that rejoins alone changes nothing, and a leader that has not read the decision yet would place without it; so it is
the leader that asks, and by what it has read itself.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ginkgo_streams.apps.cluster import Cluster
from ginkgo_streams.engine import internals
from ginkgo_streams.engine.assignor import Placed, Wishes
from ginkgo_streams.engine.fatal import die

log = logging.getLogger("ginkgo.node")

LOOK_S = 1.0
"""Longest pause between two looks: a decision may be read while another placement is under way, and a leader may be new."""


def due(placed: Placed | None, wishes: Wishes) -> bool:
    """Whether we are the leader, people have decided something since the placement was made, and it moves a slot or a copy."""
    return placed is not None and placed.wishes.orders() != wishes.orders() and placed.differs(wishes)


async def keep_placement(app: Any, cluster: Cluster) -> None:
    """Look at every change of the decisions, for ever; an unexpected error ends the process, as everywhere in the engine."""
    try:
        known = -1
        while True:
            placed, wishes = app.assignor.placed(cluster.slots), cluster.wishes(cluster.slots)
            if not (app.rebalancing or app.in_recovery) and due(placed, wishes):
                log.info("Rebalancing Portfolio assignments...")
                internals.request_rejoin(app)
                while app.assignor.placed(cluster.slots) is placed and not app.rebalancing:
                    await asyncio.sleep(0.01)
            known = await cluster.schedule_table.newer_than(known, LOOK_S)
    except Exception as error:
        die("watching over the placement", error)
