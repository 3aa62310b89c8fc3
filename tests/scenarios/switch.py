"""The kill switch in scenarios: commands as any publisher sends them, and the board that `ginkgo engine` reads, fed with the same bytes."""

from __future__ import annotations

from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.config import Settings
from ginkgo_streams.domain.halts import ENGINE
from ginkgo_streams.halts import Board
from ginkgo_streams.topics import HALTS, SCHEDULE
from tests.scenarios.harness import MARKETS, SLOTS, Pipeline


def stop(pipeline: Pipeline, target: str = ENGINE, settle: bool = True, **params: Any) -> str:
    """`engine.stop`; its command id."""
    return pipeline.command("engine.stop", target, settle=settle, **params).command_id


def start(pipeline: Pipeline, target: str = ENGINE, settle: bool = True) -> str:
    """`engine.start`; its command id."""
    return pipeline.command("engine.start", target, settle=settle).command_id


def board(pipeline: Pipeline) -> Board:
    """What somebody who reads the topics now knows of halts."""
    kafka = {"bootstrap_servers": ["localhost:9092"], "slots": SLOTS, "market_partitions": MARKETS}
    made = Board(Settings.model_validate({"kafka": kafka}))
    for table, topic in ((made.changes, SCHEDULE), (made.exchange, HALTS)):
        for key, value in pipeline.broker.log(topic, 0):
            table.take(key, value)
    return made


def change(pipeline: Pipeline, target: str = ENGINE) -> m.ScheduleUpdate:
    """The newest change of a target."""
    found = board(pipeline).change(target)
    assert found is not None
    return found


def confirmed(pipeline: Pipeline, command_id: str, target: str = ENGINE) -> bool:
    """Whether `ginkgo engine stop` would answer."""
    seen = board(pipeline)
    newest = seen.change(target)
    if newest is None or newest.command_id != command_id:
        return False
    return not seen.unconfirmed(target, newest.value) and not (newest.active and seen.waiting(target))


def outcomes(pipeline: Pipeline) -> dict[str, list[str]]:
    """Order id to the event types of its reports, in order of the orders' own times."""
    found = sorted(pipeline.orders(), key=lambda order: order.timestamp)
    return {order_id: pipeline.kinds(order_id) for order_id in dict.fromkeys(order.order_id for order in found)}
