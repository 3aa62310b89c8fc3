"""Topic ginkgo.live.orders.feedback: what the exchange says of orders, fenced by the partition of codes it comes from."""

from __future__ import annotations

from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.dead_letters import dead_letter
from ginkgo_streams.engine.app import EngineApp, consume
from ginkgo_streams.engine.owned import Fenced
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.topics import FEEDBACK


def decode(value: bytes | None) -> Fenced:
    """A report or a claim. Raises BadMessage."""
    message = m.decode(value, m.Feedback)
    if isinstance(message, m.Claim):
        return Fenced(message, claim=m.claimed(message))
    return Fenced(m.report(message), fence=(message.slot, message.epoch))


def orders_feedback(app: EngineApp, runner: Runner) -> None:
    """Declare the agent."""

    async def take(event: Any) -> None:
        sent = decode(event.value)
        await runner.take(event, sent.message, fence=sent.fence, claim=sent.claim)

    async def reject(event: Any, error: ValueError) -> None:
        await runner.take(event, None, also=dead_letter(app, event, error, app.engine.node_id))

    @app.agent(app.raw_topic(FEEDBACK), name="orders_feedback")  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        await consume(app, stream, take, reject)
