"""Ginkgo for the benchmarks of failures: a broker, a livecore, two nodes with portfolios, steady prices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import population
from bench.backlog import LONG, Market, batches, fill_batches, slots_of, watch_commits
from bench.latency import send_commands
from bench.pair import HEARTBEAT_S, SESSION_TIMEOUT_S, Marks, Pair, Size
from bench.process import LIVECORE_READY, NODE_READY, TIMEOUT_S, kafka, livecore, node
from bench.traffic import STEP_S, Message, Traffic
from ginkgo_streams import messages as m
from ginkgo_streams.topics import MARKET_DATA, MARKET_PARTITIONS, NODE_APP, SLOTS, SUBMISSION, TICKS

TICKS_PER_S = 20_000
CLOCK_EVERY = round(1 / STEP_S)
MARKS = Marks("portfolios: giving", "portfolios: claimed", "slots loaded")


class Prices:
    """The watched code at every step, and the clock once a second."""

    def __init__(self, start_ms: int) -> None:
        self._coin = population.Coin(start_ms, round(STEP_S * 1000))
        self._steps = 0

    def step(self) -> list[Message]:
        """What goes out now."""
        ts = self._coin.next()
        partition, key, value = population.price(ts)
        found = [Message(MARKET_DATA, partition, key, value)]
        self._steps += 1
        if self._steps % CLOCK_EVERY == 0:
            clock = m.encode(m.ClockTick(timestamp=m.iso(ts)))
            found += [Message(MARKET_DATA, partition, b"clock", clock) for partition in range(MARKET_PARTITIONS)]
        return found


class Orders:
    """Tells new orders of the watched portfolios, and by whom they are, from all that is submitted."""

    def __init__(self, watched: list[str]) -> None:
        self._watched = frozenset(watched)
        self._owner: dict[tuple[int, int], str] = {}
        self._known: set[str] = set()

    def read(self, value: bytes) -> tuple[str, str] | None:
        """A new order's portfolio and the node that had claimed its slot; an order given again is none."""
        message = m.decode(value, m.OrderMessage)
        if isinstance(message, m.Claim):
            self._owner[message.slot, message.epoch] = message.node_id
        if not isinstance(message, m.OrderSubmission) or message.portfolio_id not in self._watched or message.order_id in self._known:
            return None
        self._known.add(message.order_id)
        return message.portfolio_id, self._owner[message.slot, message.epoch]


@contextmanager
def staged(folder: Path, size: Size) -> Iterator[Pair]:
    """Both nodes trade. Everything is ended afterwards."""
    with kafka(folder) as broker, _pair(folder, broker.bootstrap, size) as pair:
        yield pair


@contextmanager
def _pair(folder: Path, bootstrap: str, size: Size) -> Iterator[Pair]:
    environment = {
        "GINKGO_KAFKA__SESSION_TIMEOUT": str(SESSION_TIMEOUT_S), "GINKGO_KAFKA__HEARTBEAT": str(HEARTBEAT_S),
        "GINKGO_KAFKA__STANDBYS": str(size.standbys),
    }  # fmt: skip
    market, watched = Market(size.codes, TICKS_PER_S, swing=0), population.watched()
    # Prices begin where the windows' own updates will have ended.
    updates = (LONG + 2) * size.codes
    prices = Prices(market.start + updates * 1000 // TICKS_PER_S + 1_000)
    traffic = Traffic(bootstrap, prices.step, SUBMISSION, SLOTS, Orders(watched).read)
    pair = Pair(
        bootstrap, watched, traffic, lambda name: node(folder, bootstrap, name, **environment), lambda name: folder / "data" / name, MARKS
    )
    core = livecore(folder, bootstrap, **environment)
    try:
        first = pair.new_node()
        core.wait_for(LIVECORE_READY)
        first.wait_for(NODE_READY)
        state = population.state_commands(size.portfolios)
        asyncio.run(send_commands(bootstrap, [*state, *population.ordering_commands()]))
        first.wait_for("running: command", size.portfolios + len(watched))
        slots = slots_of(state)
        sent = asyncio.run(fill_batches(bootstrap, slots, batches(market, updates, min(size.codes, 1000), 1)))
        asyncio.run(watch_commits(bootstrap, NODE_APP, TICKS, sent * len(slots), first.pid, TIMEOUT_S))
        traffic.start()
        traffic.answered(watched, 0.0, [first.name])
        pair.join()
        yield pair
    finally:
        pair.close()
        core.kill()
