"""Tick to order: the time from a price update handed to the producer to its order read by a consumer, p50 and p99.

Ours: market data -> livecore's router -> ticks -> node (10 portfolios, changelog record awaited) -> orders.submission.
Beside it, in turn with it, the bare chain: two aiokafka processes with the same hops, the same bytes and rate, the same
guarantees (acks=all, idempotent, each acknowledgement awaited), and no work in between.

    python -m bench.latency --ticks 1000 --seconds 15 --rounds 3
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.process import LIVECORE_READY, NODE_READY, Process, kafka, livecore, node
from ginkgo_streams import messages as m
from ginkgo_streams.engine.provision import provision
from ginkgo_streams.engine.topics import kept
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.topics import CONTROL, MARKET_DATA, MARKET_PARTITIONS, SLOTS, SUBMISSION

STEP_S = 0.05
"""The feed sends what it has every 50 ms, an array per partition."""

WARM_S = 20.0
"""Seconds in front of those that are counted: windows fill, the broker's JIT compiles, connections are made."""

EVENT_START = "2026-11-24T01:35:00.000Z"
"""Event time of the first step: a trading day, continuous trading."""

ORDERS_PER_S = 20.0
PORTFOLIOS = 10
CHAIN = ("bench.chain.in", "bench.chain.mid", "bench.chain.state", "bench.chain.out")


def codes(count: int) -> list[str]:
    """So many codes of the Shenzhen main board."""
    return [f"{n:06d}.SZ" for n in range(1, count + 1)]


class Feed:
    """Steps of price updates with an event time of their own each, and when they were sent."""

    def __init__(self, ticks_per_s: int) -> None:
        self.codes = codes(ticks_per_s)  # each code once a second
        self.per_step = max(1, round(ticks_per_s * STEP_S))
        self.event = m.ms(EVENT_START)
        self.sent: dict[str, float] = {}
        self.at = 0

    def step(self) -> dict[int, list[m.PriceUpdate]]:
        """The next step, by partition."""
        self.event += round(STEP_S * 1000)
        stamp = m.iso(self.event)
        by_partition: dict[int, list[m.PriceUpdate]] = {}
        for _ in range(self.per_step):
            code = self.codes[self.at % len(self.codes)]
            price = 10 + ((self.at * 7919) % 50) / 100
            self.at += 1
            update = m.PriceUpdate(
                timestamp=stamp, code=code, price=price, volume=10_000, prev_close=10.2, bid_price=price, ask_price=price
            )
            by_partition.setdefault(partition_of(code, MARKET_PARTITIONS), []).append(update)
        self.sent[stamp] = time.time()
        return by_partition


async def drive(bootstrap: str, feed: Feed, seconds: float, topic: str, out: str, partitions: int, clock: bool) -> list[float]:
    """Send the feed at its rate and read the orders for so long behind WARM_S; the latencies in seconds."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=20)
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(out, p) for p in range(partitions)])
    await consumer.seek_to_end()
    found: list[float] = []
    end = time.monotonic() + WARM_S + seconds
    warm = time.time() + WARM_S

    async def read() -> None:
        while time.monotonic() < end + 1:
            for records in (await consumer.getmany(timeout_ms=50)).values():
                now = time.time()
                for record in records:
                    stamp = json.loads(record.value).get("timestamp")
                    sent = feed.sent.get(stamp)
                    if sent is not None and sent > warm:
                        found.append(now - sent)

    reading = asyncio.ensure_future(read())
    due, steps = time.monotonic(), 0
    while time.monotonic() < end:
        due += STEP_S
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        for partition, updates in feed.step().items():
            await producer.send(topic, m.encode(updates), updates[0].code.encode(), partition)
        steps += 1
        if clock and steps % 20 == 0:
            for partition in range(MARKET_PARTITIONS):
                await producer.send(topic, m.encode(m.ClockTick(timestamp=m.iso(feed.event))), b"clock", partition)
    await reading
    await producer.stop()
    await consumer.stop()
    return found


def portfolio_commands(probability: float) -> list[m.ControlCommand]:
    """Ten portfolios that order now and then."""
    made: list[m.ControlCommand] = []
    for n in range(PORTFOLIOS):
        portfolio_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"bench{n}"))
        config = {
            "strategy": {"name": "RandomSignalStrategy", "params": {"seed": n, "probability": probability}},
            "risk_managements": [{"name": "PositionRatioRisk", "params": {"max_position_ratio": 0.2, "max_total_position_ratio": 0.8}}],
            "sizer": {"name": "FixedVolumeSizer", "params": {"volume": 100}},
            "selector": {"name": "AllSelector", "params": {}},
        }
        params = {"name": f"bench {n}", "user_id": "bench", "initial_cash": 1_000_000_000, "config": config}
        made += created(portfolio_id, params)
    return made


def created(portfolio_id: str, params: dict[str, Any]) -> list[m.ControlCommand]:
    """The commands that create a portfolio and start it."""
    create = m.ControlCommand(
        command_id=f"{portfolio_id}.create", command_type="portfolio.create", target_id=portfolio_id, params=params, timestamp=EVENT_START
    )
    start = m.ControlCommand(
        command_id=f"{portfolio_id}.start", command_type="portfolio.start", target_id=portfolio_id, timestamp=EVENT_START
    )
    return [create, start]


async def send_commands(bootstrap: str, commands: Sequence[m.ControlCommand]) -> None:
    """Create and start them."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    for command in commands:
        await producer.send_and_wait(CONTROL, m.encode(command), command.target_id.encode(), partition_of(command.target_id, SLOTS))
    await producer.stop()


def run_ours(folder: Path, bootstrap: str, ticks: int, seconds: float) -> list[float]:
    """One measurement of Ginkgo."""
    core = livecore(folder, bootstrap)
    core.wait_for(LIVECORE_READY)
    worker = node(folder, bootstrap)
    worker.wait_for(NODE_READY)
    try:
        probability = ORDERS_PER_S / (ticks * PORTFOLIOS)
        asyncio.run(send_commands(bootstrap, portfolio_commands(probability)))
        worker.wait_for("running: command", PORTFOLIOS)
        feed = Feed(ticks)
        return uvloop.run(drive(bootstrap, feed, seconds, MARKET_DATA, SUBMISSION, SLOTS, True))
    finally:
        worker.stop()
        core.stop()


def run_chain(folder: Path, bootstrap: str, ticks: int, seconds: float) -> list[float]:
    """One measurement of the bare chain."""
    asyncio.run(provision(bootstrap, [kept(name, MARKET_PARTITIONS, 1) for name in CHAIN], 60))
    every = max(1, round(ticks / ORDERS_PER_S))
    command = [sys.executable, "-m", "bench.chain"]
    hops = [Process(folder, f"chain.{hop}", [*command, hop, bootstrap, str(every)]) for hop in ("router", "node")]
    try:
        for hop in hops:
            hop.wait_for("ready")
        return uvloop.run(drive(bootstrap, Feed(ticks), seconds, CHAIN[0], CHAIN[3], MARKET_PARTITIONS, False))
    finally:
        for hop in hops:
            hop.stop()


def summary(values: Sequence[float]) -> dict[str, float]:
    """p50 and p99 in ms, and how many."""
    if len(values) < 20:
        raise RuntimeError(f"only {len(values)} orders were measured")
    cuts = statistics.quantiles(values, n=100)
    return {"p50_ms": round(cuts[49] * 1000, 2), "p99_ms": round(cuts[98] * 1000, 2), "orders": len(values)}


def measure(ticks: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Ours and the chain in turn."""
    results: dict[str, list[dict[str, float]]] = {"ours": [], "chain": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name, kafka(Path(name)) as broker:
            results["chain"].append(summary(run_chain(Path(name), broker.bootstrap, ticks, seconds)))
            results["ours"].append(summary(run_ours(Path(name), broker.bootstrap, ticks, seconds)))
    medians = {who: {key: statistics.median(r[key] for r in runs) for key in runs[0]} for who, runs in results.items()}
    ratios = {key: round(medians["ours"][key] / medians["chain"][key], 2) for key in ("p50_ms", "p99_ms")}
    return {"ticks_per_s": ticks, "portfolios": PORTFOLIOS, "rounds": rounds, **medians, "ratio": ratios, "all": results}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=1000, help="price updates a second")
    parser.add_argument("--seconds", type=float, default=15, help="counted, behind the warm-up")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps(measure(options.ticks, options.seconds, options.rounds)))


if __name__ == "__main__":
    main()
