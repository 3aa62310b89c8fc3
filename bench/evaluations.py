"""Evaluations (price update x portfolio) per second of one worker, against a Quix Streams application doing the same ones.

Both work off a prepared backlog on the same broker, one process each, one after the other. Ours: the node as it runs in production,
fed with the router's batches in every slot that has portfolios: admission, windows, TrendFollow 5/20, orders, snapshots, durable
checkpoints. Quix: two applications, see bench/quix.py. The rate is that of the offsets committed, so of work that is durable.

    python -m bench.evaluations --codes 500 --ticks 600000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from bench.backlog import LEAST_S, Market, Rate, TooShort, batches, fill_batches, slots_of, steady_rate, trend_commands, watch_commits
from bench.latency import PORTFOLIOS, send_commands
from bench.process import NODE_READY, Process, kafka, node
from bench.quix import GROUP
from ginkgo_streams import messages as m
from ginkgo_streams.domain import events as d
from ginkgo_streams.engine.provision import provision
from ginkgo_streams.engine.topics import kept
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.topics import NODE_APP, TICKS

BATCH = 200
"""Updates in a message of the router: what comes in its window of 10 ms at 20,000 a second, about what a node takes."""

TICKS_PER_S = 20_000
"""The pace of event time in the backlog. The router adds a clock once a second: once in so many updates."""

PARTITIONS = 10
TIMEOUT_S = 300.0
TRIES, GROWTH = 4, 3
"""A run that is too short is made again with so many times the ticks."""


def with_portfolios(folder: Path, bootstrap: str, commands: list[m.ControlCommand]) -> None:
    """Let a node make the portfolios, and stop it."""
    first = node(folder, bootstrap)
    try:
        first.wait_for(NODE_READY)
        asyncio.run(send_commands(bootstrap, commands))
        first.wait_for("running: command", len(commands) // 2)
    finally:
        first.stop()


def ours(folder: Path, bootstrap: str, codes: int, ticks: int, batch: int, least_s: float) -> Rate:
    """Evaluations of one node."""
    commands = trend_commands(PORTFOLIOS)
    with_portfolios(folder, bootstrap, commands)
    slots = slots_of(commands)
    clock_every = max(1, TICKS_PER_S // batch)
    sent = asyncio.run(fill_batches(bootstrap, slots, batches(Market(codes, TICKS_PER_S), ticks, batch, clock_every)))
    worker = node(folder, bootstrap)
    try:
        worker.wait_for(NODE_READY)
        total = sent * len(slots)
        commits = asyncio.run(watch_commits(bootstrap, NODE_APP, TICKS, total, worker.pid, TIMEOUT_S))
    finally:
        worker.stop()
    if not worker.seen("Order submitted"):
        raise RuntimeError(f"the node made no order: nothing was evaluated:\n{worker.end()}")
    return _times(steady_rate(commits, total, least_s), batch * PORTFOLIOS / len(slots))


def fill_single(bootstrap: str, topic: str, market: Market, ticks: int, owners: Sequence[str]) -> int:
    """Send `ticks` updates one by one, keyed by code, or once to each of `owners`. How many messages that were."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    sent = 0
    for _ in range(ticks // 5_000):
        quotes = market.next(5_000)
        for code, ts, price in zip(quotes.codes, quotes.data[d.TS].tolist(), quotes.data[d.PRICE].tolist(), strict=True):
            cny = m.number(price)
            update = m.PriceUpdate(timestamp=m.iso(ts), code=code, price=cny, volume=10_000, prev_close=10.0, bid_price=cny, ask_price=cny)
            value = m.encode(update)
            for key in owners or (code,):
                producer.produce(topic, value, key.encode(), partition_of(key, PARTITIONS))
                sent += 1
        producer.flush()
    return sent


def quix(folder: Path, bootstrap: str, codes: int, ticks: int, keyed_by: str, least_s: float) -> Rate:
    """Evaluations of the Quix application, for as many messages as `ticks`."""
    topic = f"bench.quix.{keyed_by}"
    asyncio.run(provision(bootstrap, [kept(topic, PARTITIONS, 1)], 60))
    owners = [command.target_id for command in trend_commands(PORTFOLIOS)[::2]] if keyed_by == "portfolio" else []
    each = 1 if owners else PORTFOLIOS
    sent = fill_single(bootstrap, topic, Market(codes, TICKS_PER_S), ticks // len(owners) if owners else ticks, owners)
    arguments = [sys.executable, "-W", "ignore", "-m", "bench.quix", bootstrap, topic, str(each), str(folder / f"quix.{keyed_by}")]
    worker = Process(folder, "quix", arguments)
    try:
        commits = asyncio.run(watch_commits(bootstrap, GROUP, topic, sent, worker.pid, TIMEOUT_S))
    finally:
        worker.stop()
    if not worker.seen("crosses: ") or worker.seen("crosses: 0"):
        raise RuntimeError(f"the Quix application saw no cross: nothing was evaluated:\n{worker.end()}")
    return _times(steady_rate(commits, sent, least_s), each)


def _times(rate: Rate, factor: float) -> Rate:
    return Rate(round(rate.per_s * factor), round(rate.per_cpu_s * factor))


Run = Callable[[Path, str, int], Rate]
"""(folder, broker, ticks): works off so many ticks."""


def long_enough(run: Run, ticks: int) -> tuple[Rate, int]:
    """The rate of a run, on a broker of its own, with as many ticks as given or, where they are too soon worked off, more; and how many."""
    tried = 0
    while True:
        try:
            with tempfile.TemporaryDirectory() as name, kafka(Path(name)) as broker:
                return run(Path(name), broker.bootstrap, ticks), ticks
        except TooShort as error:
            tried += 1
            if tried == TRIES:
                raise
            print(f"{ticks:,} ticks: {error}", file=sys.stderr, flush=True)
            ticks *= GROWTH


def measure(
    codes: int, ticks: int, quix_ticks: int, batch: int = BATCH, rounds: int = 1, least_s: float = LEAST_S
) -> dict[str, Any]:  # fmt: skip
    """Ours and both Quix applications in turn: medians of evaluations a second (also of CPU), and their ratios.

    ticks, quix_ticks (0: leave Quix out): to begin with; more where that lasts less than least_s.
    """
    runs: dict[str, Run] = {"ours": lambda folder, bootstrap, n: ours(folder, bootstrap, codes, n, batch, least_s)}
    if quix_ticks:
        runs["quix_by_portfolio"] = lambda folder, bootstrap, n: quix(folder, bootstrap, codes, n, "portfolio", least_s)
        runs["quix_by_code"] = lambda folder, bootstrap, n: quix(folder, bootstrap, codes, n, "code", least_s)
    needed = {who: ticks if who == "ours" else quix_ticks for who in runs}
    results: dict[str, list[Rate]] = {who: [] for who in runs}
    for _ in range(rounds):
        for who, run in runs.items():
            rate, needed[who] = long_enough(run, needed[who])
            results[who].append(rate)
        print(f"evaluations, {codes} codes: { {who: rates[-1] for who, rates in results.items()} }", file=sys.stderr)
    medians = {who: Rate(*(statistics.median(each) for each in zip(*rates, strict=True))) for who, rates in results.items()}
    ratios = {
        who: {"per_s": round(medians["ours"].per_s / rate.per_s, 2), "per_cpu_s": round(medians["ours"].per_cpu_s / rate.per_cpu_s, 2)}
        for who, rate in medians.items()
        if who != "ours"
    }
    return {
        "codes": codes, "portfolios": PORTFOLIOS, "batch": batch, "rounds": rounds, "ticks": needed,
        "evaluations": {who: rate._asdict() for who, rate in medians.items()}, "ratio": ratios,
    }  # fmt: skip


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", type=int, default=500)
    parser.add_argument("--ticks", type=int, default=600_000, help="price updates for the node")
    parser.add_argument("--quix-ticks", type=int, default=300_000, help="messages for each Quix application (0: leave them out)")
    parser.add_argument("--batch", type=int, default=BATCH, help="price updates in one message of the router")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps(measure(options.codes, options.ticks, options.quix_ticks, options.batch, options.rounds)))


if __name__ == "__main__":
    main()
