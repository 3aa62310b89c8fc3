"""Topic ginkgo.live.market.data: every price goes to the slots that want its code, and to the simulated exchange."""

from __future__ import annotations

import asyncio
from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.dead_letters import dead_letter
from ginkgo_streams.engine.app import EngineApp, consume
from ginkgo_streams.engine.arrival import Arrival
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.routing import Router
from ginkgo_streams.slots.exchange import Market
from ginkgo_streams.topics import MARKET_DATA

NAMED = 10
"""Bad updates of one array that are named in the dead letter; all of them are counted."""


def decode(value: bytes | None) -> tuple[Market, m.BadMessage | None]:
    """Prices and the newest clock of a message; and what is wrong with those updates of an array that are left out, None where all
    are good: one bad update may not silence the other codes of a snapshot. Raises BadMessage where nothing is good."""
    try:
        return _market(m.decode_market(value)), None
    except m.BadMessage as error:
        parts = m.market_parts(value or b"")
        if parts is None:
            raise
        whole = error
    good: list[m.MarketMessage] = []
    wrong: list[str] = []
    for number, part in enumerate(parts):
        try:
            updates = m.decode_market(part)
            _market(updates)
            good += updates
        except m.BadMessage as error:
            wrong.append(f"[{number}]: {error}")
    if not good:
        raise whole
    return _market(good), m.BadMessage(f"{len(wrong)} of {len(parts)} updates are left out: {'; '.join(wrong[:NAMED])}")


def _market(updates: list[m.MarketMessage]) -> Market:
    prices = [u for u in updates if isinstance(u, m.PriceUpdate)]
    foreign = next((u for u in prices if u.market != "CN"), None)
    if foreign is not None:
        raise m.BadMessage(f"market {foreign.market} of {foreign.code}: only CN is traded here")
    clock = max((m.ms(u.timestamp) for u in updates if isinstance(u, m.ClockTick)), default=0)
    return Market(m.quotes(prices) if prices else None, clock)


def market_data(app: EngineApp, exchange: Runner, router: Router) -> None:
    """Declare the agent. The input is done when the exchange has it durably and every slot's ticks are acknowledged."""

    async def take(arrival: Arrival) -> None:
        market, wrong = decode(arrival.value)
        also: asyncio.Future[Any] = router.add(market.quotes or m.no_quotes(), market.clock)
        if wrong is not None:
            also = asyncio.gather(also, dead_letter(app, arrival, wrong, app.engine.node_id))
        await exchange.take(arrival, market, also=also)

    async def reject(arrival: Arrival, error: ValueError) -> None:
        await exchange.take(arrival, None, also=dead_letter(app, arrival, error, app.engine.node_id))

    @app.agent(app.raw_topic(MARKET_DATA), name="market_data")  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        await consume(app, stream, take, reject)
