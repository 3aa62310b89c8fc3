"""The publisher: paces a feed and puts it on the market data topic, one array per partition and step, then the clock.

A code's partition is Kafka's default one (murmur2 of the code), as any other producer of the topic would choose; it is
passed explicitly, because a message holds many codes and its key is only the first of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from ginkgo_streams import topics
from ginkgo_streams.feeds.step import Step
from ginkgo_streams.messages import ClockTick, PriceUpdate, encode, iso
from ginkgo_streams.partitioner import partition_of

log = logging.getLogger(__name__)

CLOCK_MS = 1_000
"""Event time between two clock records; the portfolios' time-outs are seconds, so a second late is soon enough."""

CLOCK_S = 1.0
"""Wall seconds after which the last clock is said again while the feed waits: silence would look like a dead feed."""

CHUNK = 2_000
"""Updates in one message at most: about 600 kB, under the brokers' default limit of 1 MB."""

BEHIND_S = 1.0
"""How far the pace may fall behind before the lost time is given up: else a stall is followed by a burst."""

BACKOFF_S = (0.2, 5.0)
"""First and longest pause between two attempts to reach Kafka."""

CLOSE_S = 5.0
"""How long the closing of a producer may take: with Kafka away it would wait for ever."""

FATAL = (MessageSizeTooLargeError, InvalidTopicError, TopicAuthorizationFailedError, ClusterAuthorizationFailedError)
"""What no second attempt mends."""


class _Stopped(Exception):
    """Asked to stop while there was nothing to flush and no Kafka."""


@dataclass(slots=True)
class _Message:
    partition: int
    key: bytes
    value: bytes
    ticks: int
    ack: asyncio.Future[object] | None = None

    @property
    def answered(self) -> bool:
        """Whether Kafka has taken or refused it."""
        return self.ack is not None and self.ack.done()


class Publisher:
    """Publishes one feed. `run` until the feed ends or `stop`; the counters below may be read at any time.

    ticks, clocks: price updates and clock records acknowledged by Kafka. event_ms: event time of the last step sent.
    """

    def __init__(self, bootstrap_servers: str, *, topic: str = topics.MARKET_DATA, max_in_flight: int = 64) -> None:
        """max_in_flight: messages sent and not acknowledged; at that many the feed waits."""
        self.ticks = 0
        self.clocks = 0
        self.event_ms = 0
        self._bootstrap = bootstrap_servers
        self._topic = topic
        self._max_in_flight = max_in_flight
        self._in_flight: deque[_Message] = deque()
        self._partitions = 0
        self._producer: AIOKafkaProducer | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[object] | None = None
        self._clock_ms = 0
        self._clock_at = 0.0
        self._rate_mark = (0.0, 0)
        self._rate = 0.0

    @property
    def ticks_per_second(self) -> float:
        """Price updates a wall second, over about the last second."""
        return self._rate

    async def run(self, feed: Iterable[Step]) -> None:
        """Publish the feed's steps. Returns when the feed has ended or `stop` was called, and all is acknowledged.

        Kafka being away is waited for, without an end. Raises what the feed raises, and KafkaError for what waiting does not mend.
        """
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        try:
            await self._connect()
            due = loop.time()
            for step in feed:
                due = max(due + step.wait_s, loop.time() - BEHIND_S)
                await self._wait_until(due)
                if self._stopping.is_set():
                    break
                await self._publish(step)
            if self._clock_ms < self.event_ms:
                await self._clock()
            while self._in_flight:
                await self._settle_oldest()
        except _Stopped:
            log.info("Feed stopped before Kafka at %s was reached", self._bootstrap)
        finally:
            self._rate = 0.0
            await self._close()

    async def stop(self, timeout_s: float = 10.0) -> int:
        """End `run` after the step at hand and wait until everything is acknowledged. Returns how many messages were not, within
        timeout_s (0 unless Kafka is away)."""
        self._stopping.set()
        task = self._task
        if task is not None and not task.done():
            await asyncio.wait({task}, timeout=timeout_s)
            if not task.done():
                log.warning("Feed stopped with %d messages not acknowledged by Kafka at %s", len(self._in_flight), self._bootstrap)
                task.cancel()
                await asyncio.wait({task})
        return len(self._in_flight)

    async def _publish(self, step: Step) -> None:
        self.event_ms = step.time_ms
        for partition, updates in self._by_partition(step.updates):
            await self._send(_Message(partition, updates[0].code.encode(), encode(updates), len(updates)))
        now = asyncio.get_running_loop().time()
        if not step.updates or step.time_ms - self._clock_ms >= CLOCK_MS or now - self._clock_at >= CLOCK_S:
            await self._clock()
        self._measure(now)
        await asyncio.sleep(0)

    def _by_partition(self, updates: Iterable[PriceUpdate]) -> Iterator[tuple[int, list[PriceUpdate]]]:
        groups: dict[int, list[PriceUpdate]] = {}
        for update in updates:
            groups.setdefault(partition_of(update.code, self._partitions), []).append(update)
        for partition in sorted(groups):
            for start in range(0, len(groups[partition]), CHUNK):
                yield partition, groups[partition][start : start + CHUNK]

    async def _clock(self) -> None:
        """Say on every partition that all updates up to the last step's time are out."""
        value = encode(ClockTick(timestamp=iso(self.event_ms)))
        for partition in range(self._partitions):
            await self._send(_Message(partition, b"clock", value, 0))
        self._clock_ms = self.event_ms
        self._clock_at = asyncio.get_running_loop().time()

    async def _wait_until(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        while (left := due - loop.time()) > 0:
            until_clock = self._clock_at + CLOCK_S - loop.time() if self._clock_ms else left
            if await self._stopped_within(max(0.0, min(left, until_clock))):
                return
            if self._clock_ms and loop.time() - self._clock_at >= CLOCK_S:
                await self._clock()

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _send(self, message: _Message) -> None:
        while self._in_flight and (self._in_flight[0].answered or len(self._in_flight) >= self._max_in_flight):
            await self._settle_oldest()
        self._in_flight.append(message)
        try:
            await self._hand_over(message)
        except KafkaError as error:
            await self._recover(error)

    async def _hand_over(self, message: _Message) -> None:
        assert self._producer is not None
        message.ack = await self._producer.send(self._topic, message.value, message.key, message.partition)

    async def _settle_oldest(self) -> None:
        message = self._in_flight[0]
        assert message.ack is not None
        try:
            await message.ack
        except KafkaError as error:
            await self._recover(error)
            return
        self._in_flight.popleft()
        self.ticks += message.ticks
        self.clocks += message.ticks == 0

    async def _recover(self, error: KafkaError) -> None:
        """A new producer, which sends again what was not acknowledged, in order. What had arrived all the same is there twice:
        readers drop an update that is not newer than the last of its code."""
        while True:
            if isinstance(error, FATAL):
                raise error
            log.warning("Publishing market data failed (%s): reconnecting to Kafka at %s", error, self._bootstrap)
            await self._close()
            await self._connect()
            try:
                for message in self._in_flight:
                    message.ack = None
                for message in self._in_flight:
                    await self._hand_over(message)
                return
            except KafkaError as another:
                error = another
                await asyncio.sleep(BACKOFF_S[0])

    async def _connect(self) -> None:
        pause, longest = BACKOFF_S
        while True:
            producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, linger_ms=0)
            try:
                await producer.start()
                self._partitions = len(await producer.partitions_for(self._topic))
                self._producer = producer
                return
            except KafkaError as error:
                await producer.stop()
                if isinstance(error, FATAL):
                    raise
                why = "No brokers available" if isinstance(error, KafkaConnectionError) else str(error)
                log.warning("Failed to connect to Kafka: %s (%s); trying again in %.1f s", why, self._bootstrap, pause)
            if not self._stopping.is_set():
                await self._stopped_within(pause)
            elif self._in_flight:
                await asyncio.sleep(pause)
            else:
                raise _Stopped
            pause = min(pause * 2, longest)

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            await asyncio.wait_for(producer.stop(), CLOSE_S)
        except (TimeoutError, KafkaError) as error:
            log.warning("Closing the producer of market data: %s", error or "Kafka does not answer")

    def _measure(self, now: float) -> None:
        since, ticks = self._rate_mark
        if now - since >= 1.0:
            self._rate = (self.ticks - ticks) / (now - since) if since else 0.0
            self._rate_mark = (now, self.ticks)
