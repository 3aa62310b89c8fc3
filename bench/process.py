"""A process of a benchmark, whose lines are timed as they come. It is killed when the benchmark ends, however that ends."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ginkgo_streams.engine.provision import provision
from ginkgo_streams.engine.topics import TopicSpec
from ginkgo_streams.local.kafka import Broker
from ginkgo_streams.local.process import spawn, wait_for
from ginkgo_streams.topics import all_topics

TIMEOUT_S = 120.0
LOOK_S = 0.005
"""How often its log is looked at: the times of its lines are late by so much at most."""

NODE_READY, LIVECORE_READY = "ExecutionNode ready", "LiveCore ready"


@contextmanager
def kafka(folder: Path, topics: Sequence[TopicSpec] | None = None) -> Iterator[Broker]:
    """A broker of its own with topics (None: ours), stopped afterwards."""
    broker = Broker(folder / "kafka", heap_mb=512)
    broker.start()
    try:
        asyncio.run(provision(broker.bootstrap, all_topics() if topics is None else topics, 60))
        yield broker
    finally:
        broker.stop()


class Process:
    """`started`, and the times of lines, are of time.monotonic()."""

    def __init__(self, folder: Path, name: str, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.lines: list[tuple[float, str]] = []
        self.started = time.monotonic()
        self._ended = threading.Event()
        self.child = spawn(name, argv, folder / f"{name}.{time.monotonic_ns()}.log", bound=True, env=environment)
        threading.Thread(target=self._follow, daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.child.pid

    def _follow(self) -> None:
        with self.child.log.open(errors="replace") as log:
            part = ""
            while True:
                ended = self._ended.is_set()
                for piece in iter(log.readline, ""):
                    part += piece
                    if part.endswith("\n"):
                        self.lines.append((time.monotonic(), part.rstrip()))
                        part = ""
                if ended:
                    return
                self._ended.wait(LOOK_S)

    def seen(self, text: str, since: float = 0.0) -> list[float]:
        """When the lines with a text came, those before `since` left out."""
        return [at for at, line in list(self.lines) if text in line and at >= since]

    def wait_for(self, text: str, count: int = 1, since: float = 0.0) -> float:
        """When a line with the text came for the `count`-th time after `since`. Raises RuntimeError with the end of the log."""
        wait_for(lambda: len(self.seen(text, since)) >= count or not self.child.alive, TIMEOUT_S)
        time.sleep(LOOK_S)  # what it said last, where it has ended
        found = self.seen(text, since)
        if len(found) < count:
            raise RuntimeError(f"no {text!r} of {self.name} in {TIMEOUT_S:g} s:\n{self.end()}")
        return found[count - 1]

    def end(self) -> str:
        """The last lines of its log."""
        return "\n".join(line for _, line in self.lines[-30:])

    def kill(self) -> None:
        """kill -9."""
        self.child.kill()
        self._ended.set()

    def stop(self) -> int | None:
        """SIGTERM, as Ctrl+C drains it; returns when it has ended: its exit status. Raises RuntimeError where it does not end in 60 s."""
        self.child.send(signal.SIGTERM)
        ended = self.child.wait(60)
        if not ended:
            self.child.kill()
        self._ended.set()
        if not ended:
            raise RuntimeError(f"{self.name} did not stop in 60 s:\n{self.end()}")
        return self.child.returncode


def ginkgo(folder: Path, name: str, bootstrap: str, *arguments: str, **environment: str) -> Process:
    """A process of ours, with `folder` as its home."""
    command = [sys.executable, "-m", "ginkgo_streams.cli.main", *arguments]
    return Process(
        folder, name, command,
        {"GINKGO_HOME": str(folder), "KAFKA_BOOTSTRAP_SERVERS": bootstrap, "PYTHONUNBUFFERED": "1", **environment},
    )  # fmt: skip


def node(folder: Path, bootstrap: str, name: str = "bench_node", **environment: str) -> Process:
    """An execution node, just started: wait for NODE_READY."""
    return ginkgo(folder, name, bootstrap, "worker", "start", "--type", "execution_node", "--node-id", name, **environment)


def livecore(folder: Path, bootstrap: str, **environment: str) -> Process:
    """A livecore without a feed of its own, just started: wait for LIVECORE_READY."""
    return ginkgo(folder, "livecore", bootstrap, "livecore", "start", "--data-source", "none", **environment)
