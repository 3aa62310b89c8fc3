"""Topic of orders for the simulated exchange, by code: what the gateway let through."""

from __future__ import annotations

from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.dead_letters import dead_letter
from ginkgo_streams.domain import events as d
from ginkgo_streams.domain.halts import Halt
from ginkgo_streams.engine.app import EngineApp, consume
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

    async def take(event: Any) -> None:
        await exchange.take(event, decode(event.value))

    async def reject(event: Any, error: ValueError) -> None:
        await exchange.take(event, None, also=dead_letter(app, event, error, app.engine.node_id))

    @app.agent(app.raw_topic(SIM_ORDERS), name="sim_orders")  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        await consume(app, stream, take, reject)
