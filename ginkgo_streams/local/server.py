"""What the broker and the databases have in common: one process, its data in one folder, a port kept over restarts."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any, ClassVar

from ginkgo_streams.local import ports
from ginkgo_streams.local.errors import AlreadyRunning, LocalError
from ginkgo_streams.local.home import require_disk
from ginkgo_streams.local.process import Child, spawn, wait_ready

START_SECONDS = 180.0  # an idle machine needs 3 s; one with ten times its load and a cold disk has been seen to take more than 60
STOP_SECONDS = 30.0


class Server:
    """A server on 127.0.0.1. A kind of server says its command and how it is asked whether it answers.

    folder: data, log and what is to be kept; made where missing. port: 0 takes the folder's last one, else a free one.
    bound: the server dies with this process, however that ends; False leaves it running.
    """

    NAME: ClassVar[str]
    DISK_MB: ClassVar[int]

    def __init__(self, folder: Path, port: int = 0, *, bound: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.absolute()
        self.bound = bound
        self.child: Child | None = None
        kept = self.folder / "server.json"
        self._kept: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
        self.port = self._kept_port("port", port)

    @property
    def address(self) -> str:
        """ "127.0.0.1:PORT"."""
        return f"{ports.HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """The file of the server's output."""
        return self.folder / "server.log"

    @property
    def running(self) -> bool:
        """Whether the process of this object is alive."""
        return self.child is not None and self.child.alive

    @property
    def pid(self) -> int:
        """The process id. Raises LocalError where it was never started."""
        return self._started().pid

    def start(self) -> None:
        """Prepares the data folder where new, starts, and returns when the server answers.

        Raises ProgramMissing, JavaTooOld, FetchFailed, PortTaken, DiskFull, AlreadyRunning, ServerDied, NotReady.
        """
        self.launch()
        self.wait_answers()

    def launch(self) -> Child:
        """As `start`, but returns as soon as the process runs."""
        if self.running:
            raise AlreadyRunning(f"{self.NAME} at {self.address} runs already (pid {self.pid}); stop it first")
        require_disk(self.folder, self.DISK_MB, f"{self.NAME}'s data")
        for port in self._ports():
            ports.require_free(port, self.NAME)
        self.child = spawn(self.NAME, self._command(), self.log, bound=self.bound, cwd=self.folder)
        return self.child

    def wait_answers(self) -> None:
        """Returns when the launched server answers. Raises ServerDied, DiskFull or NotReady, the process ended in that case."""
        wait_ready(self._started(), self.answers, self.address, START_SECONDS)

    def leave_taken_ports(self) -> None:
        """Takes free ports in place of those that are somebody else's now; before a start, where nobody chose them."""
        if not ports.is_free(self.port):
            self.port = self._new_port("port")

    def answers(self) -> bool:
        """Whether the server does its work now; within a few seconds."""
        raise NotImplementedError

    def stop(self) -> None:
        """SIGTERM, and returns when the process has ended; nothing where it has already."""
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
        """Stops it where it runs and starts it again at the same ports with the same data."""
        self.stop()
        self.start()

    def _command(self) -> list[str]:
        """What to run; prepares the data folder where that is new."""
        raise NotImplementedError

    def _ports(self) -> list[int]:
        """Every port that the server binds."""
        return [self.port]

    def _started(self) -> Child:
        if self.child is None:
            raise LocalError(f"{self.NAME} of {self.folder} was not started by this process; call start() first")
        return self.child

    def _kept_port(self, key: str, given: int) -> int:
        known = given or int(self._kept.get(key, 0))
        if not known:
            return self._new_port(key)
        self._keep(key, known)
        return known

    def _new_port(self, key: str) -> int:
        port = ports.free_port()
        self._keep(key, port)
        return port

    def _keep(self, key: str, value: object) -> None:
        """Writes one value for the next time; the file is its owner's only, as a password may be in it."""
        self._kept[key] = value
        path = self.folder / "server.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(self._kept))
