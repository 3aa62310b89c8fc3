"""The portfolios of the benchmarks of failures: those that make up the state, and a few that order at every step and are watched.

The watched ones are RandomSignalStrategy with one seed on one code: the feed takes event times at which its coin says "buy", so each
of them orders at each price of that code. One lives in every third slot: a peer that gives out ranges of partitions shares them too.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import chain, cycle, islice
from types import SimpleNamespace
from typing import Any, cast
from zlib import crc32

import numpy as np

from bench.backlog import CONFIG
from bench.latency import created
from ginkgo_streams import messages as m
from ginkgo_streams.domain.strategies.random_signal import RandomSignalParams, RandomSignalStrategy
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.topics import MARKET_PARTITIONS, SLOTS

WATCHED = range(0, SLOTS, 3)
"""Their slots."""
CODE = "600000.SH"
PRICE = 10.0
COIN = RandomSignalParams(seed=1, probability=1.0)

ORDERING: dict[str, Any] = {
    "strategy": {"name": "RandomSignalStrategy", "params": {"seed": COIN.seed, "probability": COIN.probability}},
    "risk_managements": [],
    "sizer": {"name": "FixedVolumeSizer", "params": {"volume": 100}},
    "selector": {"name": "FixedSelector", "params": {"codes": [CODE]}},
    "min_signal_interval": 0,
}


def portfolio_in(slot: int, name: str) -> str:
    """An id, always the same for a name, that lives in a slot."""
    ids = (str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}.{n}")) for n in range(100 * SLOTS))
    return next(one for one in ids if partition_of(one, SLOTS) == slot)


def watched() -> list[str]:
    """The ids of those that order at every step, one in each slot of WATCHED."""
    return [portfolio_in(slot, "watched") for slot in WATCHED]


def ordering_commands() -> list[m.ControlCommand]:
    """Create and start the watched ones."""
    params = {"name": "watched", "user_id": "bench", "initial_cash": 1_000_000_000, "config": ORDERING}
    return [command for one in watched() for command in created(one, params)]


def state_commands(portfolios: int) -> list[m.ControlCommand]:
    """Create and start so many portfolios of TrendFollow 5/20 on all codes, slot by slot."""
    params = {"name": "state", "user_id": "bench", "initial_cash": 1_000_000, "config": CONFIG}
    # Once each slot has one, those with a watched one are left out for a lap: were they all heavier, a new node would be given just them.
    laps = chain(range(SLOTS), (slot for slot in range(SLOTS) if slot not in WATCHED), cycle(range(SLOTS)))
    ids = [portfolio_in(slot, f"state{n}") for n, slot in enumerate(islice(laps, portfolios))]
    return [command for one in ids for command in created(one, params)]


class Coin:
    """Event times at which the watched portfolios buy, STEP after STEP."""

    def __init__(self, start_ms: int, step_ms: int) -> None:
        self._strategy = RandomSignalStrategy(COIN)
        self._next, self._step = start_ms, step_ms
        self._hash = np.uint64(crc32(CODE.encode()) * 0x9E3779B97F4A7C15 % 2**64)

    def next(self) -> int:
        """The next such time, ms."""
        times = np.arange(self._next, self._next + self._step // 2)
        same: Sequence[str] = [CODE] * len(times)
        batch = SimpleNamespace(ts=times, codes=same, hashes=np.full(len(times), self._hash))
        account = SimpleNamespace(volume=lambda code: 0, short_selling=False)
        signals = list(self._strategy.signals(cast(Any, batch), cast(Any, account), {}))
        self._next += self._step
        return signals[0].ts if signals else int(times[0])


def price(ts: int) -> tuple[int, bytes, bytes]:
    """A price of the watched code: partition of market data, key, value. So much is traded that every order fills."""
    update = m.PriceUpdate(
        timestamp=m.iso(ts), code=CODE, price=PRICE, volume=10_000_000, prev_close=PRICE, bid_price=PRICE, ask_price=PRICE
    )
    return partition_of(CODE, MARKET_PARTITIONS), CODE.encode(), m.encode([update])
