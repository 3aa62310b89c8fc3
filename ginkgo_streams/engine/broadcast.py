"""A small compacted topic that every process reads whole and keeps as a dict, ready before work starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from ginkgo_streams.engine.fatal import die

log = logging.getLogger("ginkgo.engine")


def last(old: Any, new: Any) -> bool:
    """The usual rule: what came later counts."""
    return True


class BroadcastTable:
    """key -> value of a one-partition compacted topic, kept up to date by a consumer of its own (no group).

    newer(old, new): whether a later record replaces what is known; a fenced owner's may not. decode: bytes to
    value; raises ValueError for a record that is none of ours, which is then left out with a warning.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        decode: Callable[[bytes], Any],
        newer: Callable[[Any, Any], bool] = last,
    ) -> None:
        self.bootstrap, self.topic, self.decode, self.newer = bootstrap, topic, decode, newer
        self.values: dict[str, Any] = {}
        self.version = 0
        self._changed = asyncio.Event()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start reading; returns when all that was there is known."""
        self._task = asyncio.ensure_future(self._read())
        await self._ready.wait()

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the values meet a condition."""
        while not condition(self.values):
            self._changed.clear()
            await self._changed.wait()

    async def newer_than(self, version: int, timeout_s: float) -> int:
        """Wait until something has changed since a version, no longer than timeout_s; the version then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.version == version:
                    self._changed.clear()
                    await self._changed.wait()
        return self.version

    async def _read(self) -> None:
        position = 0
        while True:
            consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
            try:
                await consumer.start()
                partition = TopicPartition(self.topic, 0)
                consumer.assign([partition])
                ends = (await consumer.end_offsets([partition]))[partition]
                first = (await consumer.beginning_offsets([partition]))[partition]
                consumer.seek(partition, max(position, first))
                while True:
                    if await consumer.position(partition) >= ends:
                        self._ready.set()
                    for records in (await consumer.getmany(timeout_ms=100)).values():
                        for record in records:
                            self.take(record.key, record.value)
                            position = record.offset + 1
            except (KafkaError, OSError) as error:
                log.warning("Reading %s: %s; trying again", self.topic, error)
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                die(f"reading {self.topic}", error)
            finally:
                await consumer.stop()

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Fold one record of the topic into the values."""
        name = (key or b"").decode(errors="replace")
        if value is None:
            self.values.pop(name, None)
        else:
            try:
                new = self.decode(value)
            except ValueError as error:
                log.warning("%s: a record of key %r is left out: %s", self.topic, name, error)
                return
            old = self.values.get(name)
            if old is not None and not self.newer(old, new):
                return
            self.values[name] = new
        self.version += 1
        self._changed.set()
