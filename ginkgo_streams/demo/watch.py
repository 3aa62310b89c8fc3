"""What the demo shows, read from the topics: the newest snapshot of each portfolio, prices a second, latency from price to order."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from ginkgo_streams.messages import BadMessage, OrderMessage, OrderSubmission, PriceUpdate, Snapshot, decode, decode_market
from ginkgo_streams.topics import MARKET_DATA, SNAPSHOTS, SUBMISSION

RATE_SECONDS = 3.0
"""Prices a second are over this time."""

PRICES_KEPT = 50_000
"""Prices whose time is remembered; an order follows its price in milliseconds, after a failover in seconds."""

RETRY_SECONDS = 0.5
CLOSE_SECONDS = 5.0
"""How long the closing of a consumer may take: aiokafka's stop() can hang where the broker is away."""


class Watch:
    """Reads three topics from their beginnings with a consumer in a thread of its own, group-less and past every broker's end.

    newest: portfolio id to its newest snapshot. latency_ms: portfolio id to that of its last order; latencies_ms: of all orders. A
    latency is the time of the order's record in orders.submission less that of its price's record in market.data, as their
    producers wrote them when they sent them. first_order_at: of the clock `time.monotonic`, 0 before. unreadable: records skipped.
    """

    def __init__(self, bootstrap: str) -> None:
        self.newest: dict[str, Snapshot] = {}
        self.latency_ms: dict[str, float] = {}
        self.latencies_ms: list[float] = []
        self.first_order_at = 0.0
        self.ticks = 0
        self.market_time = ""
        self.unreadable = 0
        self._bootstrap = bootstrap
        self._next: dict[TopicPartition, int] = {}
        self._sent_at: dict[tuple[str, str], int] = {}
        self._early: dict[tuple[str, str], list[tuple[str, int]]] = {}
        self._orders: set[str] = set()
        self._marks: deque[tuple[float, int]] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="demo-watch", daemon=True)

    def start(self) -> None:
        """Begins to read. The topics must exist."""
        self._thread.start()

    def stop(self) -> None:
        """Ends reading; what was read stays."""
        self._stopping = True
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def orders(self) -> int:
        """Orders seen, each once."""
        return len(self._orders)

    def ticks_per_second(self) -> float:
        """Price updates a wall second over about the last RATE_SECONDS; to be asked about once a second."""
        now = time.monotonic()
        self._marks.append((now, self.ticks))
        while len(self._marks) > 2 and now - self._marks[1][0] >= RATE_SECONDS:
            self._marks.popleft()
        since, ticks = self._marks[0]
        return (self.ticks - ticks) / (now - since) if now > since else 0.0

    async def _run(self) -> None:
        while not self._stopping:
            consumer = AIOKafkaConsumer(
                MARKET_DATA, SUBMISSION, SNAPSHOTS, bootstrap_servers=self._bootstrap, enable_auto_commit=False,
                auto_offset_reset="earliest",
            )  # fmt: skip
            try:
                await consumer.start()
                for partition in consumer.assignment():
                    if partition in self._next:
                        consumer.seek(partition, self._next[partition])
                while not self._stopping:
                    for partition, records in (await consumer.getmany(timeout_ms=100)).items():
                        for record in records:
                            self._take(record)
                            self._next[partition] = record.offset + 1
            except (KafkaError, OSError):
                await asyncio.sleep(RETRY_SECONDS)  # the broker is being restarted, which the stack says
            finally:
                with contextlib.suppress(TimeoutError, KafkaError):
                    await asyncio.wait_for(consumer.stop(), CLOSE_SECONDS)

    def _take(self, record: Any) -> None:
        try:
            if record.topic == MARKET_DATA:
                self._take_prices(record)
            elif record.topic == SUBMISSION:
                message = decode(record.value, OrderMessage)
                if isinstance(message, OrderSubmission):
                    self._take_order(message, record.timestamp)
            else:
                self._take_snapshot(decode(record.value, Snapshot))
        except BadMessage:
            self.unreadable += 1

    def _take_prices(self, record: Any) -> None:
        for message in decode_market(record.value):
            self.market_time = max(self.market_time, message.timestamp)
            if not isinstance(message, PriceUpdate):
                continue
            self.ticks += 1
            price = (message.code, message.timestamp)
            self._sent_at.setdefault(price, record.timestamp)
            for portfolio_id, ordered_at in self._early.pop(price, ()):
                self._note(portfolio_id, ordered_at - record.timestamp)
        while len(self._sent_at) > PRICES_KEPT:
            del self._sent_at[next(iter(self._sent_at))]

    def _take_order(self, order: OrderSubmission, ordered_at: int) -> None:
        """An order is dated with the time of its price; one that is published again after a recovery counts as of the first time."""
        if order.order_id in self._orders:
            return
        self._orders.add(order.order_id)
        self.first_order_at = self.first_order_at or time.monotonic()
        price = (order.code, order.timestamp)
        if price in self._sent_at:
            self._note(order.portfolio_id, ordered_at - self._sent_at[price])
        else:  # partitions are read in any order
            self._early.setdefault(price, []).append((order.portfolio_id, ordered_at))

    def _note(self, portfolio_id: str, milliseconds: int) -> None:
        self.latency_ms[portfolio_id] = milliseconds
        self.latencies_ms.append(milliseconds)

    def _take_snapshot(self, snapshot: Snapshot) -> None:
        known = self.newest.get(snapshot.portfolio_id)
        if known is None or (snapshot.epoch, snapshot.seq) > (known.epoch, known.seq):
            self.newest[snapshot.portfolio_id] = snapshot
