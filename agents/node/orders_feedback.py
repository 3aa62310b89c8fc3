"""Topic ginkgo.live.orders.feedback: what the exchange says of orders, fenced by the partition of codes it comes from."""

from __future__ import annotations

from ginkgo_streams import messages as m
from ginkgo_streams.agents.reducing import reducing
from ginkgo_streams.engine.app import EngineApp
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
    reducing(app, runner, FEEDBACK, "orders_feedback", decode)
