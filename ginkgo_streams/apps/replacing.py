"""When a new placement is due, the group's leader asks all members for one. There is no other scheduler.

It is due when people have decided something, and when slots wait to move whose heirs have copies of them now. A follower that rejoins
alone changes nothing, and a leader that has not read the decision yet would place without it; so it is the leader that asks, and by
what it has read itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka.errors import KafkaError

from ginkgo_streams import messages as m
from ginkgo_streams.apps.cluster import Cluster, now
from ginkgo_streams.engine import internals
from ginkgo_streams.engine.assignor import TWIN, Placed, Wishes
from ginkgo_streams.engine.fatal import die
from ginkgo_streams.engine.runner import Runner

log = logging.getLogger("ginkgo.node")

LOOK_S = 1.0
"""Longest pause between two looks: a decision may be read while another placement is under way, and a leader may be new."""

COPIES_S = 0.2
"""Between two looks at our own copies: a slot that waits for one of them moves so much later at most."""

PUBLISH_S = 5.0


def due(placed: Placed | None, wishes: Wishes) -> bool:
    """Whether we are the leader, people have decided something since the placement was made, and it moves a slot or a copy."""
    return placed is not None and placed.wishes.orders() != wishes.orders() and placed.differs(wishes)


def copies_there(placed: Placed | None, said: Mapping[str, m.ScheduleUpdate], generation: int) -> bool:
    """Whether we are the leader, slots wait for copies, and each of their heirs has said in this generation that it has them."""
    if placed is None or not placed.waiting:
        return False
    heirs = {heir.partition(TWIN)[0] for heir in placed.waiting.values()}
    return all(heir in said and said[heir].value == generation for heir in heirs)


async def keep_placement(app: Any, cluster: Cluster) -> None:
    """Look at every change of the decisions, for ever; an unexpected error ends the process, as everywhere in the engine."""
    try:
        known = -1
        while True:
            placed, wishes = app.assignor.placed(cluster.slots), cluster.wishes(cluster.slots)
            if not (app.rebalancing or app.in_recovery):
                moves = copies_there(placed, cluster.decided("copies"), internals.generation(app))
                if moves or due(placed, wishes):
                    log.info("Rebalancing Portfolio assignments...")
                    internals.request_rejoin(app)
                    while app.assignor.placed(cluster.slots) is placed and not app.rebalancing:
                        await asyncio.sleep(0.01)
            known = await cluster.schedule_table.newer_than(known, LOOK_S)
    except Exception as error:
        die("watching over the placement", error)


async def keep_copies(app: Any, cluster: Cluster, runner: Runner) -> None:
    """Tell the assignor of which slots we have copies, and the leader when we have all that we were given, for ever."""
    told = -1
    try:
        while True:
            await asyncio.sleep(COPIES_S)
            generation = internals.generation(app)
            if told == generation or app.rebalancing or (copied := runner.copied()) is None:
                continue
            app.assignor.warm = copied
            wanted = internals.standby_partitions(app, runner.tables[0].changelog_topic_name)
            if wanted and wanted <= copied and await _tell(app, cluster, generation):
                told = generation
    except Exception as error:
        die("watching over the standby copies", error)


async def _tell(app: Any, cluster: Cluster, generation: int) -> bool:
    update = m.ScheduleUpdate(timestamp=now(), kind="copies", subject=app.engine.node_id, value=generation)
    try:
        async with asyncio.timeout(PUBLISH_S):
            await cluster.decide(app, update)
    except (KafkaError, TimeoutError) as error:
        log.info("That the copies are up to date could not be told yet: %r", error)
        return False
    return True
