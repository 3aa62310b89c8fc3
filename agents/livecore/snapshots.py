"""Topic of snapshots: the newest state of each portfolio goes to the database and to Redis, whenever they are there."""

from __future__ import annotations

from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.dead_letters import dead_letter
from ginkgo_streams.engine.app import EngineApp, consume
from ginkgo_streams.engine.arrival import Arrival
from ginkgo_streams.engine.sink import Sink
from ginkgo_streams.topics import SNAPSHOTS


def snapshots(app: EngineApp, sink: Sink) -> None:
    """Declare the agent."""

    async def take(arrival: Arrival) -> None:
        snapshot = m.decode(arrival.value, m.Snapshot)
        sink.take(arrival, snapshot.portfolio_id, snapshot)

    async def reject(arrival: Arrival, error: ValueError) -> None:
        await dead_letter(app, arrival, error, app.engine.node_id)
        sink.skip(arrival)

    @app.agent(app.raw_topic(SNAPSHOTS), name="snapshots")  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        await consume(app, stream, take, reject)
