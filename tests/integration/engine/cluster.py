"""Nodes of the toy as processes, what they are fed, and what a reader of their topics may conclude."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from ginkgo_streams.engine.envelope import RESERVED, unseal
from ginkgo_streams.engine.fence import Fences
from ginkgo_streams.engine.provision import connect, provision
from ginkgo_streams.engine.table import accept

from . import toy

REPO = Path(__file__).resolve().parents[3]


class ToyNode:
    """One process. `fault`: where it kills itself, e.g. "after_ack:3"."""

    def __init__(self, name: str, bootstrap: str, folder: Path, fault: str = "", **environ: str) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.data = folder / name
        environment = {**os.environ, "PYTHONPATH": str(REPO), "GINKGO_FAULT": fault, **environ}
        self._output = self.log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", toy.__name__, "--bootstrap", bootstrap, "--node-id", name, "--datadir", str(self.data)],
            stdout=self._output, stderr=subprocess.STDOUT, env=environment, cwd=REPO,
        )  # fmt: skip

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str, count: int = 1, timeout: float = 40.0) -> None:
        """Until the log holds a text so often. Fails with the log."""
        until(lambda: self.text().count(text) >= count, timeout, lambda: f"{self.name}: no {text!r} x{count} in:\n{self.text()[-6000:]}")

    def wait_dead(self, timeout: float = 60.0) -> int:
        return self.process.wait(timeout)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM and wait."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError(f"{self.name} did not stop:\n{self.text()[-6000:]}") from None
        return self.process.returncode


def until(condition: Callable[[], bool], timeout: float, complaint: Callable[[], str]) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(complaint())
        time.sleep(0.05)


class ToyCluster:
    """A broker's toy topics, with the nodes started on them."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap, self.folder = bootstrap, folder
        self.nodes: list[ToyNode] = []
        self.expected: dict[str, int] = defaultdict(int)
        self.expected_sum = 0
        asyncio.run(provision(bootstrap, toy.TOPICS, 30))

    def node(self, name: str, fault: str = "", bootstrap: str = "", **environ: str) -> ToyNode:
        node = ToyNode(name, bootstrap or self.bootstrap, self.folder, fault, **environ)
        self.nodes.append(node)
        return node

    def close(self) -> None:
        for node in self.nodes:
            if node.process.poll() is None:
                node.process.kill()
                node.process.wait()

    def feed(self, inputs: int, counters: int = 8, repeat: bool = False, garbage: bool = False) -> None:
        """Send so many inputs; repeat: each twice, the second time out of order."""
        messages = [(f"c{i % counters}", {"id": uuid.uuid4().hex[:12], "n": i % 7 + 1}) for i in range(inputs)]
        for name, message in messages:
            self.expected[name] += int(str(message["n"]))
            self.expected_sum += int(str(message["n"])) * (2 if repeat else 1)
        asyncio.run(self._produce(messages + (messages[::-1] if repeat else []), garbage))

    def poison(self, kind: str = "poison") -> None:
        """One input that the reducer's bug trips over (and counts 1 for, once mended). kind: poison raises, endless never returns."""
        self.expected["c0"] += 1
        self.expected_sum += 1
        asyncio.run(self._produce([("c0", {"id": kind, "n": kind})], False))

    @contextmanager
    def feeding(self, per_second: int = 200) -> Iterator[None]:
        """Inputs at a steady rate while the block runs."""
        stop = threading.Event()

        def go() -> None:
            while not stop.is_set():
                self.feed(per_second // 5)
                stop.wait(0.2)

        thread = threading.Thread(target=go)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    async def _produce(self, messages: list[tuple[str, dict[str, Any]]], garbage: bool) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, enable_idempotence=True, acks="all")
        await producer.start()
        try:
            for name, message in messages:
                await producer.send(toy.INPUT, json.dumps(message).encode(), key=name.encode())
            if garbage:
                for partition in range(toy.SLOTS):
                    await producer.send(toy.INPUT, b"{not json", key=b"c0", partition=partition)
            await producer.flush()
        finally:
            await producer.stop()

    def records(self, topic: str) -> list[Any]:
        """Every record of a topic."""
        return asyncio.run(self._records(topic))

    async def _records(self, topic: str) -> list[Any]:
        # earliest, and no seek: one that is made while a reset to the end is in flight is undone by it.
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
        await consumer.start()
        found: list[Any] = []
        try:
            await consumer._client.force_metadata_update()
            partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or range(toy.SLOTS)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            while any([await consumer.position(p) < ends[p] for p in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
        finally:
            await consumer.stop()
        return found

    def totals(self) -> dict[str, int]:
        """The counters as a node with an empty disk would recover them."""
        return {key: json.loads(value)["total"] for key, value in self.recovered("counters").items()}

    def recovered(self, table: str) -> dict[str, bytes]:
        values: dict[str, bytes] = {}
        by_partition: dict[int, list[Any]] = defaultdict(list)
        for record in self.records(f"{toy.APP}-{table}-changelog"):
            by_partition[record.partition].append((record.key, record.value))
        for partition, records in by_partition.items():
            puts, _, _ = accept(_Empty(), records)  # type: ignore[arg-type]
            for key, value in puts.items():
                if not key.startswith(RESERVED):
                    name = key.decode()
                    values[name if table == "counters" else f"{name}-{partition}"] = unseal(value).payload
        return values

    def counted(self) -> dict[str, dict[str, int]]:
        """counter -> id -> total, from the outputs that count behind the claims; fails where an id has two totals."""
        fences = Fences()
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for record in sorted(self.records(toy.OUTPUT), key=lambda r: (r.partition, r.offset)):
            message = json.loads(record.value)
            if message.get("claim"):
                fences.claim(toy.OUTPUT, message["source"], message["epoch"])
            elif fences.admits(toy.OUTPUT, message["source"], message["epoch"]):
                known = found[message["counter"]].setdefault(message["id"], message["total"])
                assert known == message["total"], f"{message} was {known} before"
        return found

    def published(self) -> dict[str, int]:
        """counter -> the greatest total among its outputs that count."""
        return {name: max(ids.values()) for name, ids in self.counted().items()}

    def settle(self, timeout: float = 60.0) -> None:
        """Wait until the counters that can be recovered are the expected ones, and published (outputs follow their changelog record's
        acknowledgement). Then nothing may change any more."""
        until(lambda: self.totals() == dict(self.expected), timeout, self._complaint)
        until(lambda: self.published() == dict(self.expected), timeout, self._complaint)
        until(lambda: self.sum() == self.expected_sum, timeout, lambda: f"sum {self.sum()}, expected {self.expected_sum}")

    def sum(self) -> int:
        """All inputs as the soft state has them, duplicates counted (it is written at checkpoints only)."""
        return sum(int(value) for value in self.recovered("sums").values())

    def _complaint(self) -> str:
        logs = "\n".join(f"--- {node.name}\n{node.text()[-3000:]}" for node in self.nodes)
        return f"expected {dict(self.expected)}\nfound    {self.totals()}\n{logs}"

    def settle_some(self) -> None:
        """Wait until something has been counted."""
        until(lambda: bool(self.totals()), 30, self._complaint)

    def wait_group_empty(self) -> None:
        """Wait until the group has no member."""
        until(lambda: asyncio.run(self._members()) == 0, 30, lambda: "the group still has members")

    async def _members(self) -> int:
        admin = await connect(self.bootstrap, 10)
        try:
            (response,) = await admin.describe_consumer_groups([toy.APP])
            return len(response.groups[0][5])
        finally:
            await admin.close()

    def audit(self) -> None:
        """Exact, in state and outputs."""
        assert self.totals() == dict(self.expected), self._complaint()
        assert self.published() == dict(self.expected), f"published {self.published()}\n{self._complaint()}"


class _Empty:
    """An empty disk."""

    def get(self, key: bytes) -> None:
        return None
