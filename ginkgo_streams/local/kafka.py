"""One Kafka broker on this machine: KRaft, one process, no ZooKeeper, no container."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from ginkgo_streams.local import ports
from ginkgo_streams.local.errors import AlreadyRunning, LocalError, ServerDied
from ginkgo_streams.local.home import require_disk
from ginkgo_streams.local.jars import kafka_jars
from ginkgo_streams.local.java import find_java
from ginkgo_streams.local.process import Child, complaint, spawn, wait_ready

START_SECONDS = 60.0  # 2.5 s on an idle machine; a loaded one with a cold disk takes ten times that
STOP_SECONDS = 30.0
_DISK_MB = 500  # the topics of a day on one machine; less and the first full segment fails
_CLUSTER_ID = "R2lua2dvTG9jYWxLYWZrYQ"  # "GinkgoLocalKafka": 16 bytes, url-safe base64, as KRaft wants it

# Measured: without the first, a group's first member waits 3 s; the rest keeps one small process on one disk.
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
default.replication.factor=1
num.network.threads=2
num.io.threads=4
log.retention.check.interval.ms=10000
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=8388608
# The default session of 9 s is how long the controller refuses a broker that comes back after kill -9.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""
_JVM = ["-Xms64m", "-XX:MaxDirectMemorySize=64m", "-XX:ReservedCodeCacheSize=64m", "-XX:+UseSerialGC", "-Djava.awt.headless=true"]
_LOGGING = [
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
]


@dataclass(frozen=True, slots=True)
class Listener:
    """One more address of the broker. Who connects to `port` is told to come back to `advertised_port` (a proxy's)."""

    port: int
    advertised_port: int


class Broker:
    """A broker with its data, settings and log under one folder; it keeps its ports over restarts and objects.

    folder: made where missing. A folder used before brings its ports back where `port` is 0.
    port: of the clients' listener on 127.0.0.1; 0 takes a free one.
    extra_listeners: by name in capitals, e.g. {"PROXIED": Listener(port, advertised_port)}.
    bound: the broker dies with this process; False leaves it running.
    heap_mb: of the Java heap; the whole process takes about 150 MB more.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        *,
        extra_listeners: Mapping[str, Listener] | None = None,
        bound: bool = True,
        heap_mb: int = 256,
    ) -> None:
        self.folder = folder
        self.extra_listeners = dict(extra_listeners or {})
        self.bound = bound
        self.heap_mb = heap_mb
        self.child: Child | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self._controller_port = self._ports(port)

    @property
    def bootstrap(self) -> str:
        """The address for clients, "127.0.0.1:PORT"."""
        return f"{ports.HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """The file of the broker's output."""
        return self.folder / "broker.log"

    @property
    def running(self) -> bool:
        """Whether the process of this object is alive."""
        return self.child is not None and self.child.alive

    @property
    def pid(self) -> int:
        """The process id. Raises LocalError where it was never started."""
        return self._started().pid

    def start(self) -> None:
        """Fetches the jars where missing, formats the storage where new, starts, and returns when it answers.

        Raises ProgramMissing, JavaTooOld, PortTaken, DiskFull, FetchFailed, ServerDied, NotReady.
        """
        if self.running:
            raise AlreadyRunning(f"the broker at {self.bootstrap} runs already (pid {self.pid}); stop it first")
        java = find_java()
        libs = kafka_jars()
        require_disk(self.folder, _DISK_MB, "Kafka's data")
        for port in (self.port, self._controller_port, *(one.port for one in self.extra_listeners.values())):
            ports.require_free(port, "Kafka")
        settings = self._write_settings()
        command = [java, "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*", *_LOGGING]
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(command, settings)
        argv = [java, *_JVM, f"-Xmx{self.heap_mb}m", *command[2:], "kafka.Kafka", str(settings)]
        self.child = spawn("Kafka", argv, self.log, bound=self.bound, cwd=self.folder)
        wait_ready(self.child, lambda: answers_metadata(self.bootstrap), self.bootstrap, START_SECONDS)

    def stop(self) -> None:
        """Lets the broker close its logs (SIGTERM) and returns when it has ended; nothing where it has already."""
        if self.child is not None:
            self.child.send(signal.SIGCONT)
            self.child.stop(STOP_SECONDS)

    def kill(self) -> None:
        """kill -9; returns when the process is gone."""
        self._started().kill()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        self._started().send(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        self._started().send(signal.SIGCONT)

    def restart(self) -> None:
        """Stops it where it runs and starts it again with the same ports and data."""
        self.stop()
        self.start()

    def _started(self) -> Child:
        if self.child is None:
            raise LocalError(f"the broker of {self.folder} was not started by this process; call start() first")
        return self.child

    def _ports(self, port: int) -> tuple[int, int]:
        """Client and controller port: those of the last time where there was one, as the quorum's address is in the data."""
        file = self.folder / "ports.json"
        known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        client = port or known.get("client") or ports.free_port()
        controller = known.get("controller") or ports.free_port()
        file.write_text(json.dumps({"client": client, "controller": controller}))
        return client, controller

    def _write_settings(self) -> Path:
        clients = {"PLAINTEXT": Listener(self.port, self.port), **self.extra_listeners}
        listeners = [f"{name}://{ports.HOST}:{one.port}" for name, one in clients.items()]
        lines = [
            _SETTINGS.rstrip(),
            f"log.dirs={self.folder / 'data'}",
            f"controller.quorum.voters=1@{ports.HOST}:{self._controller_port}",
            f"listeners={','.join(listeners)},CONTROLLER://{ports.HOST}:{self._controller_port}",
            f"advertised.listeners={','.join(f'{name}://{ports.HOST}:{one.advertised_port}' for name, one in clients.items())}",
            f"listener.security.protocol.map={','.join(f'{name}:PLAINTEXT' for name in [*clients, 'CONTROLLER'])}",
        ]
        path = self.folder / "server.properties"
        path.write_text("\n".join(lines) + "\n")
        return path

    def _format(self, command: list[str], settings: Path) -> None:
        with self.log.open("ab") as output:
            done = subprocess.run(
                [*command, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                check=False,
            )
        if done.returncode != 0:
            raise ServerDied("Kafka's storage tool", done.returncode, complaint(self.log), self.log)


def answers_metadata(bootstrap: str, timeout: float = 3.0) -> bool:
    """Whether a broker answers a metadata request with itself in it, within `timeout` seconds.

    An open port is not enough: a broker that is not registered yet accepts connections and serves nothing.
    Runs in a thread with a loop of its own, so it may be called with or without a running loop.
    """
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    if not ports.answers(host, int(port)):
        return False
    answer = False

    def ask() -> None:
        nonlocal answer
        answer = asyncio.run(_ask_metadata(bootstrap, timeout))

    thread = threading.Thread(target=ask, name="kafka-probe")
    thread.start()
    thread.join()
    return answer


async def _ask_metadata(bootstrap: str, timeout: float) -> bool:
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=int(timeout * 1000))
    logging.getLogger("aiokafka").addFilter(_quiet)  # "Unable connect" at each probe of a starting broker is no news
    try:
        async with asyncio.timeout(timeout):
            await client.bootstrap()
            return bool(client.cluster.brokers())
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await client.close()
        logging.getLogger("aiokafka").removeFilter(_quiet)


def _quiet(record: logging.LogRecord) -> bool:
    return threading.current_thread().name != "kafka-probe"


