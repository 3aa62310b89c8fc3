"""The system under test: a broker, two livecores and three nodes as processes, each reaching the broker through a proxy of its own."""

from __future__ import annotations

import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ginkgo_streams.local import ports
from ginkgo_streams.local.kafka import Broker, Listener
from ginkgo_streams.local.process import wait_for
from tests.integration.cluster.harness import Cluster, Process, ginkgo
from tests.servers.toxiproxy import Proxy, Toxiproxy

from .disk import Disk
from .schedule import BROKER, FULL_DISK_NODE, LIVECORES, NODES, SESSION_S, WORKERS, Disturbance
from .timeline import Timeline

SLOTS, MARKETS = 12, 4
READY = {"node": "ExecutionNode ready", "livecore": "LiveCore ready"}
TERM_S = 90.0
"""How long a process may take to end by SIGTERM when nothing is in its way any more (docs: 60 s, with a broker)."""
USUAL_ENDS = (0, 1, 70, -9)
"""Exit statuses after which a supervisor starts a process again, and 0. Others, as of a crash in a library, are a defect; but a
process told to end before its first line, while Python still loads, ends by the signal itself."""
BROKER_TERM_S = 3.0
"""Kafka hands its partitions over before it ends, which with one broker can take as long as one waits. The round goes on."""
DELAY_MS = (100, 2_000)


class Defect(AssertionError):
    """The system did what it must not do."""


@dataclass(slots=True)
class Worker:
    """One of our processes, over all its lives."""

    name: str
    proxy: Proxy
    process: Process | None = None
    held: bool = False
    """Not to be started for now."""
    told: float = 0.0
    """When it was last told to end, 0: it was not."""
    ended: bool = True
    """Whether its end has been noted."""

    @property
    def kind(self) -> str:
        return "node" if self.name in NODES else "livecore"

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.child.alive


class System:
    """Starts everything, disturbs it, and is the supervisor that starts again what has ended."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.say = folder, say
        self.ends: Counter[str] = Counter()
        self.timeline = Timeline(folder / "timeline.log")
        self.toxiproxy = Toxiproxy(folder / "toxiproxy.log")
        ways = {name: Listener(ports.free_port(), ports.free_port()) for name in WORKERS}
        listeners = {name.upper().replace("_", ""): way for name, way in ways.items()}
        self.broker = Broker(folder / "kafka", extra_listeners=listeners, heap_mb=512)
        self.broker.start()
        self.workers = {name: Worker(name, self.toxiproxy.proxy(name, way.port, way.advertised_port)) for name, way in ways.items()}
        self.cluster = Cluster(self.broker, folder / "cluster", slots=SLOTS, markets=MARKETS)
        self.disk = Disk(self._data(FULL_DISK_NODE))
        for name in WORKERS:
            self.start(name)

    def close(self) -> None:
        """Ends all of it, at once."""
        self.cluster.close()
        self.broker.resume()
        self.broker.stop()
        self.toxiproxy.stop()
        self.disk.close()
        self.timeline.close()

    def start(self, name: str) -> None:
        """Starts a process that does not run."""
        worker = self.workers[name]
        command = ["livecore", "start", "--data-source", "none"] if name in LIVECORES else ["worker", "start", "--type", "execution_node"]
        worker.process = self.cluster.start(
            name, *ginkgo(*command, "--node-id", name),
            GINKGO_KAFKA__BOOTSTRAP_SERVERS=worker.proxy.address, GINKGO_KAFKA__SESSION_TIMEOUT=f"{SESSION_S:g}",
        )  # fmt: skip
        self.cluster.processes.remove(worker.process)  # what has ended is not looked at again
        self.cluster.processes = [p for p in self.cluster.processes if p.child.alive] + [worker.process]
        worker.told, worker.ended = 0.0, False
        self.timeline.say(f"{name} starts")
        self.timeline.follow(name, worker.process.log)

    def tend(self) -> None:
        """What a supervisor does, at each look. Raises Defect where a process ended as none should, or does not end when told to."""
        for worker in self.workers.values():
            if worker.alive:
                if worker.told and time.monotonic() - worker.told > TERM_S:
                    raise Defect(f"{worker.name} has not ended {TERM_S:.0f} s after SIGTERM; its log is {self.log(worker.name)}")
                continue
            if not worker.ended:
                self._note_end(worker)
            if not worker.held:
                self.start(worker.name)

    def _note_end(self, worker: Worker) -> None:
        worker.ended = True
        assert worker.process is not None
        status = worker.process.child.returncode
        self.ends[str(status)] += 1
        self.timeline.say(f"{worker.name} has ended with status {status}")
        unstarted = status == -signal.SIGTERM and not any("[INFO]" in line for line in worker.process.lines())
        if status not in USUAL_ENDS and not unstarted:
            raise Defect(f"{worker.name} ended with status {status}; its log is {self.log(worker.name)}")
        if status == 70:
            reason = next((line for line in reversed(worker.process.lines()) if "CRITICAL" in line), "")
            self.say(f"    {worker.name} ended itself: {reason[:200]}")

    def log(self, name: str) -> Path:
        """Of the newest life of a process."""
        process = self.workers[name].process
        assert process is not None
        return process.log

    def ready(self, name: str) -> bool:
        """Whether a process runs and has said that it is ready."""
        worker = self.workers[name]
        return worker.alive and worker.process is not None and READY[worker.kind] in worker.process.text()

    # ---- disturbances -----------------------------------------------------------------------------------------------

    def begin(self, what: Disturbance) -> None:
        """Disturb."""
        self.timeline.say(f"begin {what}")
        if what.target == BROKER:
            self._begin_broker(what.kind)
            return
        worker = self.workers[what.target]
        assert worker.process is not None
        child = worker.process.child
        if what.kind in ("kill", "wipe"):
            worker.held = True
            child.kill()
            if what.kind == "wipe":
                self._wipe(what.target)
        elif what.kind == "term":
            worker.held = True
            child.send(signal.SIGTERM)
            worker.told = time.monotonic()
        elif what.kind == "stop":
            child.send(signal.SIGSTOP)
        elif what.kind == "cut":
            worker.proxy.cut()
        elif what.kind == "hole":
            worker.proxy.black_hole()
        elif what.kind == "delay":
            worker.proxy.delay(round(DELAY_MS[0] + what.strength * (DELAY_MS[1] - DELAY_MS[0])))
        elif what.kind == "disk":
            if child.alive:
                self.disk.fill(child.pid)
        else:
            raise ValueError(f"no disturbance of a process is called {what.kind}")

    def end(self, what: Disturbance) -> None:
        """End the disturbance."""
        self.timeline.say(f"end {what}")
        if what.target == BROKER:
            self._end_broker(what.kind)
            return
        worker = self.workers[what.target]
        assert worker.process is not None
        if what.kind in ("kill", "wipe", "term"):
            worker.held = False
        elif what.kind == "stop":
            worker.process.child.send(signal.SIGCONT)
        elif what.kind == "disk":
            self.disk.empty()
        else:
            worker.proxy.heal()
        if worker.told:
            worker.told = time.monotonic()  # from now on nothing is in its way

    def _begin_broker(self, kind: str) -> None:
        if kind == "broker_stop":
            self.broker.pause()
        elif kind == "broker_kill":
            self.broker.kill()
        else:
            assert self.broker.child is not None
            self.broker.child.send(signal.SIGTERM)

    def _end_broker(self, kind: str) -> None:
        if kind == "broker_stop":
            self.broker.resume()
            return
        assert self.broker.child is not None
        if not self.broker.child.wait(BROKER_TERM_S):
            self.broker.kill()
        self.broker.launch()
        for worker in self.workers.values():
            worker.told = time.monotonic() if worker.told else 0.0

    def wait_answers(self) -> None:
        """Until the broker answers again."""
        if not wait_for(self.broker.answers, 120):
            raise Defect(f"the broker does not answer; its log is {self.broker.log}")

    def _data(self, name: str) -> Path:
        return self.cluster.folder / f"home-{name}" / "data"

    def _wipe(self, name: str) -> None:
        for part in self._data(name).iterdir() if self._data(name).exists() else ():
            if part.is_dir():
                shutil.rmtree(part)

    def wait_ready(self, timeout: float) -> None:
        """Until every process is ready, those that end meanwhile started again. Raises Defect."""

        def whole() -> bool:
            self.tend()
            return all(map(self.ready, WORKERS))

        if not wait_for(whole, timeout):
            slow = [f"{name} ({self.log(name)})" for name in WORKERS if not self.ready(name)]
            raise Defect(f"not ready within {timeout:.0f} s: {', '.join(slow)}")
