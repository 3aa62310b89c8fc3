"""Topic ginkgo.live.orders.submission: portfolios' orders, fenced by slot, on their way to the broker."""

from __future__ import annotations

from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.dead_letters import dead_letter
from ginkgo_streams.engine.app import EngineApp, consume
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.topics import SUBMISSION


def orders_submission(app: EngineApp, gateway: Runner) -> None:
    """Declare the agent."""

    async def take(event: Any) -> None:
        message = m.decode(event.value, m.OrderMessage)
        if isinstance(message, m.Claim):
            await gateway.take(event, message, claim=m.claimed(message))
            return
        if isinstance(message, m.OrderSubmission):
            m.order(message)  # what the exchange could not read is refused here, where its sender's topic is
        await gateway.take(event, message, fence=(message.slot, message.epoch))

    async def reject(event: Any, error: ValueError) -> None:
        await gateway.take(event, None, also=dead_letter(app, event, error, app.engine.node_id))

    @app.agent(app.raw_topic(SUBMISSION), name="orders_submission")  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        await consume(app, stream, take, reject)
