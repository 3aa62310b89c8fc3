"""Steady traffic into something that runs, and who answered when: what a benchmark of failures looks at while it breaks things.

A step of input goes out every STEP_S in which every key is asked once; each answer is a `Sighting`. In a thread of its own, so that
the benchmark may kill, start and wait meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

STEP_S = 0.1
TIMEOUT_S = 120.0


class Message(NamedTuple):
    """What is sent to a topic's partition."""

    topic: str
    partition: int
    key: bytes
    value: bytes


class Sighting(NamedTuple):
    """An answer for a key, by an owner (a process's name), read at a time of time.monotonic()."""

    at: float
    key: str
    owner: str


class Traffic:
    """Runs from `start` to `stop`."""

    def __init__(
        self,
        bootstrap: str,
        step: Callable[[], Sequence[Message]],
        answers: str,
        partitions: int,
        read: Callable[[bytes], tuple[str, str] | None],
    ) -> None:
        """step: what goes out now. answers: the topic of the answers; read: key and owner of one, None for what is none."""
        self.bootstrap, self.step, self.answers, self.partitions, self.read = bootstrap, step, answers, partitions, read
        self.seen: list[Sighting] = []
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End. Raises what went wrong in the thread."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(30)
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise RuntimeError(f"the traffic ended: {self._error!r}")

    def answered(self, keys: Collection[str], since: float, by: Collection[str], timeout_s: float = TIMEOUT_S) -> dict[str, float]:
        """When each key was first answered by one of these owners after `since`; waits for it. Raises RuntimeError."""
        deadline = time.monotonic() + timeout_s
        while True:
            found: dict[str, float] = {}
            for sighting in list(self.seen):
                if sighting.at >= since and sighting.key in keys and sighting.owner in by:
                    found.setdefault(sighting.key, sighting.at)
            if len(found) == len(keys):
                return found
            self._check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"in {timeout_s:g} s no answer by {', '.join(by)} for {', '.join(sorted(set(keys) - found.keys()))}")
            time.sleep(0.01)

    def owners(self) -> dict[str, str]:
        """Who answered last for each key."""
        return {sighting.key: sighting.owner for sighting in list(self.seen)}

    def longest_pause(self, keys: Collection[str], since: float, until: float) -> float:
        """The longest time without an answer that any of the keys had, of those that ended between the two times; seconds."""
        last: dict[str, float] = {}
        longest = 0.0
        for at, key, _ in list(self.seen):
            if key in keys:
                if since <= at <= until and key in last:
                    longest = max(longest, at - last[key])
                last[key] = at
        return longest

    def forget(self, before: float) -> None:
        """Leave out what was seen before a time, but for the last answer for each key."""
        seen = list(self.seen)
        newest = {sighting.key: sighting for sighting in seen if sighting.at < before}
        kept = [*newest.values(), *(sighting for sighting in seen if sighting.at >= before)]
        self.seen[: len(seen)] = kept

    def _run(self) -> None:
        try:
            asyncio.run(self._both())
        except BaseException as error:
            self._error = error

    async def _both(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, fetch_max_wait_ms=20)
        await producer.start()
        await consumer.start()
        consumer.assign([TopicPartition(self.answers, p) for p in range(self.partitions)])
        await consumer.seek_to_beginning()
        try:
            await asyncio.gather(self._feed(producer), self._watch(consumer))
        finally:
            await producer.stop()
            await consumer.stop()

    async def _feed(self, producer: AIOKafkaProducer) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            for message in self.step():
                await producer.send(message.topic, message.value, message.key, message.partition)
            due += STEP_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        while not self._ended.is_set():
            for records in (await consumer.getmany(timeout_ms=50)).values():
                now = time.monotonic()
                for record in records:
                    if (answer := self.read(record.value)) is not None:
                        self.seen.append(Sighting(now, *answer))
