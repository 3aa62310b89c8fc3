"""The peer of the benchmarks of failures: a Quix Streams application, killed in the same way.

As many partitions, the same session time-out and heartbeat, a state of like size: for each portfolio a window of each code, in its RocksDB
with changelogs. (Ours keeps a window once a slot, and orders, positions and books besides.) It has no standbys. It answers each watched
key with one message, sent at once and not first made durable, as ours are.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Producer

from bench import population
from bench.backlog import watch_commits
from bench.pair import HEARTBEAT_S, SESSION_TIMEOUT_S, Marks, Pair, Size
from bench.process import TIMEOUT_S, Process, kafka
from bench.quix import GROUP
from bench.traffic import Message, Traffic
from ginkgo_streams.engine.topics import kept
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.topics import SLOTS

ASKED, ANSWERS = "bench.peer.asked", "bench.peer.answers"
MARKS = Marks("Rebalancing: revoking", "Rebalancing: assigning", "Recovery process complete")


def fill(bootstrap: str, size: Size) -> int:
    """One price of each code for each portfolio: it fills the window. How many messages that were."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    ids = [command.target_id for command in population.state_commands(size.portfolios)[::2]]
    for n in range(size.codes):
        for portfolio_id in ids:
            value = json.dumps({"code": f"{n + 1:06d}.SZ", "price": population.PRICE}).encode()
            producer.produce(ASKED, value, portfolio_id.encode(), partition_of(portfolio_id, SLOTS))
        producer.poll(0)
    producer.flush()
    return size.codes * len(ids)


@contextmanager
def staged(folder: Path, size: Size) -> Iterator[Pair]:
    """Two instances that answer, on a broker of their own. Everything is ended afterwards."""
    topics = [kept(ASKED, SLOTS, 1), kept(ANSWERS, SLOTS, 1)]
    with kafka(folder, topics) as broker, _pair(folder, broker.bootstrap, size) as pair:
        yield pair


@contextmanager
def _pair(folder: Path, bootstrap: str, size: Size) -> Iterator[Pair]:
    watched = population.watched()
    questions = [
        Message(ASKED, slot, key.encode(), json.dumps({"code": population.CODE, "price": population.PRICE, "watched": True}).encode())
        for slot, key in zip(population.WATCHED, watched, strict=True)
    ]

    def start(name: str) -> Process:
        sessions = [str(SESSION_TIMEOUT_S * 1000), str(round(HEARTBEAT_S * 1000))]
        arguments = [bootstrap, ASKED, "1", str(folder / name), name, ANSWERS, *sessions]
        return Process(folder, name, [sys.executable, "-W", "ignore", "-m", "bench.quix", *arguments])

    def read(value: bytes) -> tuple[str, str]:
        answer = json.loads(value)
        return answer["key"], answer["owner"]

    traffic = Traffic(bootstrap, lambda: questions, ANSWERS, SLOTS, read)
    pair = Pair(bootstrap, watched, traffic, start, lambda name: folder / name, MARKS)
    try:
        first = pair.new_node()
        first.wait_for(MARKS.claimed)
        asyncio.run(watch_commits(bootstrap, GROUP, ASKED, fill(bootstrap, size), first.pid, TIMEOUT_S))
        traffic.start()
        traffic.answered(watched, 0.0, [first.name])
        pair.join()
        yield pair
    finally:
        pair.close()
