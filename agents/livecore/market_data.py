"""Topic ginkgo.live.market.data: every price goes to the slots that want its code, and to the simulated exchange."""

from __future__ import annotations

from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.dead_letters import dead_letter
from ginkgo_streams.engine.app import EngineApp, consume
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.routing import Router
from ginkgo_streams.slots.exchange import Market
from ginkgo_streams.topics import MARKET_DATA


def decode(value: bytes | None) -> Market:
    """Prices and the newest clock of a message. Raises BadMessage for the whole of it."""
    updates = m.decode_market(value)
    prices = [u for u in updates if isinstance(u, m.PriceUpdate)]
    foreign = next((u for u in prices if u.market != "CN"), None)
    if foreign is not None:
        raise m.BadMessage(f"market {foreign.market} of {foreign.code}: only CN is traded here")
    clock = max((m.ms(u.timestamp) for u in updates if isinstance(u, m.ClockTick)), default=0)
    return Market(m.quotes(prices) if prices else None, clock)


def market_data(app: EngineApp, exchange: Runner, router: Router) -> None:
    """Declare the agent. The input is done when the exchange has it durably and every slot's ticks are acknowledged."""

    async def take(event: Any) -> None:
        market = decode(event.value)
        await exchange.take(event, market, also=router.add(market.quotes or m.no_quotes(), market.clock))

    async def reject(event: Any, error: ValueError) -> None:
        await exchange.take(event, None, also=dead_letter(app, event, error, app.engine.node_id))

    @app.agent(app.raw_topic(MARKET_DATA), name="market_data")  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        await consume(app, stream, take, reject)
