"""One Kafka broker on this machine: KRaft, one process, no ZooKeeper, no container."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from ginkgo_streams.local import ports
from ginkgo_streams.local.errors import ServerDied
from ginkgo_streams.local.jars import kafka_jars
from ginkgo_streams.local.java import find_java
from ginkgo_streams.local.process import complaint
from ginkgo_streams.local.server import Server

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
_JVM = [
    "-Xms64m",
    "-XX:TieredStopAtLevel=1",  # the second compiler takes a third of a core in a broker's first minutes: more than it gives back
    "-XX:MaxDirectMemorySize=64m",
    "-XX:ReservedCodeCacheSize=64m",
    "-XX:+UseSerialGC",
    "-Djava.awt.headless=true",
]
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


class Broker(Server):
    """A broker. `extra_listeners`: by name in capitals, e.g. {"PROXIED": Listener(port, advertised_port)}.

    heap_mb: of the Java heap; the whole process takes about 150 MB more.
    """

    NAME = "Kafka"
    DISK_MB = 500  # the topics of a day on one machine; less and the first full segment fails

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        *,
        extra_listeners: Mapping[str, Listener] | None = None,
        bound: bool = True,
        heap_mb: int = 256,
    ) -> None:
        super().__init__(folder, port, bound=bound)
        self.extra_listeners = dict(extra_listeners or {})
        self.heap_mb = heap_mb
        self._controller_port = self._kept_port("controller_port", 0)

    @property
    def bootstrap(self) -> str:
        """The address for clients, "127.0.0.1:PORT"."""
        return self.address

    def leave_taken_ports(self) -> None:
        """As for any server; the controller's port too, which nobody outside knows."""
        super().leave_taken_ports()
        if not ports.is_free(self._controller_port):
            self._controller_port = self._new_port("controller_port")

    def answers(self) -> bool:
        """Whether the broker serves metadata."""
        return answers_metadata(self.bootstrap)

    def _ports(self) -> list[int]:
        return [self.port, self._controller_port, *(one.port for one in self.extra_listeners.values())]

    def _command(self) -> list[str]:
        java = find_java()
        libs = kafka_jars()
        settings = self._write_settings()
        program = ["-cp", f"{libs}/*", *_LOGGING]
        if not (self.folder / "data" / "meta.properties").exists():
            tool = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(settings)]
            self._format([java, "-XX:TieredStopAtLevel=1", *program, *tool])
        return [java, *_JVM, f"-Xmx{self.heap_mb}m", *program, "kafka.Kafka", str(settings)]

    def _write_settings(self) -> Path:
        clients = {"PLAINTEXT": Listener(self.port, self.port), **self.extra_listeners}
        listeners = [f"{name}://{ports.HOST}:{one.port}" for name, one in clients.items()]
        advertised = [f"{name}://{ports.HOST}:{one.advertised_port}" for name, one in clients.items()]
        controller = f"{ports.HOST}:{self._controller_port}"
        lines = [
            _SETTINGS.rstrip(),
            f"log.dirs={self.folder / 'data'}",
            f"controller.quorum.voters=1@{controller}",
            f"listeners={','.join([*listeners, f'CONTROLLER://{controller}'])}",
            f"advertised.listeners={','.join(advertised)}",
            f"listener.security.protocol.map={','.join(f'{name}:PLAINTEXT' for name in [*clients, 'CONTROLLER'])}",
        ]
        path = self.folder / "server.properties"
        path.write_text("\n".join(lines) + "\n")
        return path

    def _format(self, command: list[str]) -> None:
        with self.log.open("ab") as output:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder, check=False)
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
