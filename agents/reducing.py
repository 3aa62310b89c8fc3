"""The agent of a topic that a runner reduces: decode, hand over; what cannot be decoded goes where bad messages go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ginkgo_streams.dead_letters import dead_letter
from ginkgo_streams.engine.app import EngineApp, consume
from ginkgo_streams.engine.arrival import Arrival
from ginkgo_streams.engine.owned import Fenced
from ginkgo_streams.engine.runner import Runner


def reducing(app: EngineApp, runner: Runner, topic: str, name: str, decode: Callable[[bytes | None], Any]) -> None:
    """Declare the agent. decode: raises BadMessage; a `Fenced` brings its sender's fence along."""

    async def take(arrival: Arrival) -> None:
        found = decode(arrival.value)
        if isinstance(found, Fenced):
            await runner.take(arrival, found.message, fence=found.fence, claim=found.claim)
        else:
            await runner.take(arrival, found)

    async def reject(arrival: Arrival, error: ValueError) -> None:
        await runner.take(arrival, None, also=dead_letter(app, arrival, error, app.engine.node_id))

    @app.agent(app.raw_topic(topic), name=name)  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        await consume(app, stream, take, reject)
