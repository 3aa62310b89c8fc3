"""Topic ginkgo.live.orders.submission: portfolios' orders, fenced by slot, on their way to the broker."""

from __future__ import annotations

from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.dead_letters import dead_letter
from ginkgo_streams.engine.app import EngineApp, consume
from ginkgo_streams.engine.owned import Fenced
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.topics import SUBMISSION


def decode(value: bytes | None) -> Fenced:
    """An order, a cancel or a claim. Raises BadMessage."""
    message = m.decode(value, m.OrderMessage)
    if isinstance(message, m.Claim):
        return Fenced(message, claim=m.claimed(message))
    if isinstance(message, m.OrderSubmission):
        m.order(message)  # what the exchange could not read is refused here, where its sender's topic is
    return Fenced(message, fence=(message.slot, message.epoch))


def orders_submission(app: EngineApp, gateway: Runner) -> None:
    """Declare the agent."""

    async def take(event: Any) -> None:
        sent = decode(event.value)
        await gateway.take(event, sent.message, fence=sent.fence, claim=sent.claim)

    async def reject(event: Any, error: ValueError) -> None:
        await gateway.take(event, None, also=dead_letter(app, event, error, app.engine.node_id))

    @app.agent(app.raw_topic(SUBMISSION), name="orders_submission")  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        await consume(app, stream, take, reject)
