"""Topic ginkgo.live.orders.submission: portfolios' orders, fenced by slot, on their way to the broker."""

from __future__ import annotations

from ginkgo_streams import messages as m
from ginkgo_streams.agents.reducing import reducing
from ginkgo_streams.engine.app import EngineApp
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
    reducing(app, gateway, SUBMISSION, "orders_submission", decode)
