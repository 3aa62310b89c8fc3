"""Topic of orders for the simulated exchange, by code: what the gateway let through."""

from __future__ import annotations

from ginkgo_streams import messages as m
from ginkgo_streams.agents.reducing import reducing
from ginkgo_streams.domain import events as d
from ginkgo_streams.domain.halts import Halt
from ginkgo_streams.engine.app import EngineApp
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.topics import SIM_ORDERS


def decode(value: bytes | None) -> d.Order | d.Cancel | Halt:
    """What the gateway let through, or the switch that it threw, as the exchange takes it. Raises BadMessage."""
    message = m.decode(value, m.OrderSubmission | m.OrderCancel | m.ScheduleUpdate)
    if isinstance(message, m.ScheduleUpdate):
        return m.halt(message)
    if isinstance(message, m.OrderSubmission):
        return m.order(message)
    return d.Cancel(order_id=message.order_id, portfolio_id=message.portfolio_id, code=message.code, ts=m.ms(message.timestamp))


def sim_orders(app: EngineApp, exchange: Runner) -> None:
    """Declare the agent."""
    reducing(app, exchange, SIM_ORDERS, "sim_orders", decode)
