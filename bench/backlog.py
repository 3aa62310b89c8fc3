"""A prepared market: prices that cross their averages now and then, as the router's batches and as single messages.

Event time goes as it would at the rate that the market is given, inside one morning session.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import psutil
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from numpy.typing import NDArray

from bench.latency import EVENT_START, STEP_S, codes, portfolio_commands
from ginkgo_streams import messages as m
from ginkgo_streams.domain import events as d
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.topics import SLOTS, TICKS

SHORT, LONG = 5, 20
WAVE = 120
"""Updates of a code in one rise and fall: a golden and a death cross each. A random walk would cross more often; the more
crosses, the more of the work is orders, which the other side of the comparison does not make."""

LEAST_S = 8.0
"""Of what is counted: a slot's offset is committed every 5 s, the peer's every 3 s. In less one would see when they are, and no rate."""

TICK_S = 0.01
"""What CPU times are counted in."""

CONFIG = {
    "strategy": {"name": "TrendFollowStrategy", "params": {"short_period": SHORT, "long_period": LONG}},
    "risk_managements": [{"name": "PositionRatioRisk", "params": {"max_position_ratio": 0.2, "max_total_position_ratio": 0.8}}],
    "sizer": {"name": "FixedAmountSizer", "params": {"amount": 50_000}},
    "selector": {"name": "AllSelector", "params": {}},
}


def trend_commands(portfolios: int) -> list[m.ControlCommand]:
    """Create and start so many portfolios of TrendFollow 5/20 with a million each."""
    made = []
    for command in portfolio_commands(0.0)[: 2 * portfolios]:
        params = {**command.params, "config": CONFIG, "initial_cash": 1_000_000} if command.params else command.params
        made.append(msgspec.structs.replace(command, params=params))
    return made


def slots_of(commands: Sequence[m.ControlCommand]) -> list[int]:
    """The slots in which the portfolios of commands live."""
    return sorted({partition_of(command.target_id, SLOTS) for command in commands})


class Market:
    """`count` codes, one update after the other, code by code, round after round, `ticks_per_s` in a second of event time."""

    def __init__(self, count: int, ticks_per_s: int, swing: int = 40) -> None:
        """swing: of the prices in 0.01 CNY around 10; 0 where nothing shall cross."""
        self.codes = codes(count)
        self.ticks_per_s = ticks_per_s
        self.swing = swing
        self.start = m.ms(EVENT_START)
        self.at = 0
        """Updates given so far."""

    def next(self, count: int) -> d.Quotes:
        """The next updates."""
        which = np.arange(self.at, self.at + count)
        self.at += count
        code, turn = which % len(self.codes), which // len(self.codes)
        data: NDArray[np.int64] = np.zeros((len(d.FIELDS), count), np.int64)
        price = 100 * np.round(1000 + self.swing * np.sin(2 * np.pi * (turn / WAVE + code * 0.618))).astype(np.int64)
        data[d.TS] = self.start + which * 1000 // self.ticks_per_s
        data[d.SEQ], data[d.PRICE], data[d.VOLUME], data[d.PREV_CLOSE] = -1, price, 10_000, 100_000
        data[d.BID] = data[d.ASK] = price
        return d.Quotes(tuple(self.codes[i] for i in code.tolist()), data)

    @property
    def now(self) -> int:
        """Event time of the last update given, ms."""
        return self.start + (self.at - 1) * 1000 // self.ticks_per_s


def batches(market: Market, ticks: int, batch: int, clock_every: int) -> Iterator[bytes]:
    """`ticks` updates as the router's messages of `batch` updates, a clock in each `clock_every`-th."""
    for number in range(ticks // batch):
        quotes = market.next(batch)
        yield m.encode_ticks(m.Ticks.of(quotes, market.now if number % clock_every == 0 else 0))


async def fill_batches(bootstrap: str, slots: Collection[int], messages: Iterator[bytes]) -> int:
    """Send every message to every slot; how many were sent to each."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=1 << 19, linger_ms=5)
    await producer.start()
    sent = 0
    acks: list[asyncio.Future[object]] = []
    for message in messages:
        acks += [await producer.send(TICKS, message, str(slot).encode(), slot) for slot in slots]
        sent += 1
        if len(acks) > 2000:
            await asyncio.gather(*acks)
            acks.clear()
    await asyncio.gather(*acks)
    await producer.stop()
    return sent


async def pace_batches(bootstrap: str, slots: Collection[int], market: Market, seconds: float) -> int:
    """Send updates at the market's rate, a message to each slot every 20 ms and a clock a second; how many messages were sent to each."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    steps = round(seconds / STEP_S)
    due = time.monotonic()
    each = round(market.ticks_per_s * STEP_S)
    for message in batches(market, steps * each, each, round(1 / STEP_S)):
        for slot in slots:
            await producer.send(TICKS, message, str(slot).encode(), slot)
        due += STEP_S
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await producer.stop()
    return steps


async def committed(admin: AIOKafkaAdminClient, group: str, topic: str) -> int:
    """The sum of a group's committed offsets of a topic; 0 where no group was ever on this broker."""
    try:
        offsets: dict[TopicPartition, object] = await admin.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:
        return 0
    return sum(max(0, at.offset) for tp, at in offsets.items() if tp.topic == topic)  # type: ignore[attr-defined]


class Commit(NamedTuple):
    """What was seen at a change of the committed offsets: when (s), their sum, and the CPU seconds of the process until then."""

    at: float
    done: int
    cpu_s: float


async def watch_commits(bootstrap: str, group: str, topic: str, total: int, pid: int, timeout_s: float) -> list[Commit]:
    """Every change of a group's committed offsets until their sum is `total`. Raises RuntimeError after `timeout_s`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        found: list[Commit] = []
        deadline = time.monotonic() + timeout_s
        while not found or found[-1].done < total:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{group} committed {found[-1].done if found else 0} of {total} messages of {topic} in {timeout_s:g} s")
            done = await committed(admin, group, topic)
            if not found or done > found[-1].done:
                times = psutil.Process(pid).cpu_times()
                found.append(Commit(time.monotonic(), done, times.user + times.system))
            await asyncio.sleep(0.1)
        return found
    finally:
        await admin.close()


class Rate(NamedTuple):
    """Per second, and per second of the process's CPU."""

    per_s: float
    per_cpu_s: float


class TooShort(RuntimeError):
    """The backlog was worked off before a rate was to be seen."""


def steady_rate(commits: Sequence[Commit], total: int, least_s: float) -> Rate:
    """Messages between a fifth and nine tenths of the way: start and end are left out.

    A commit lags behind what is done by the same time throughout, so the lag drops out of the difference. Raises TooShort.
    """
    inside = [commit for commit in commits if 0.2 * total <= commit.done <= 0.9 * total]
    if len(inside) < 2 or inside[-1].at - inside[0].at < least_s:
        raise TooShort(f"too short to measure: {len(inside)} commits in less than {least_s:g} s")
    first, last = inside[0], inside[-1]
    done = last.done - first.done
    return Rate(done / (last.at - first.at), done / max(last.cpu_s - first.cpu_s, TICK_S))
