"""One server process: started, found again from another shell, stopped. Knows nothing of what runs in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from ginkgo_streams.local.errors import DiskFull, NotReady, ServerDied

# One thread that lives as long as this process starts all bound children: Linux sends the parent-death
# signal when the *thread* that forked ends, and a server started from a pool thread would die with it.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawn")

_BORN_TOLERANCE = 2.0  # seconds: the birth time is reckoned from the boot time, which moves when the clock is set


class Child:
    """A process by pid and birth time, so that a reused pid is never taken for it."""

    def __init__(self, name: str, pid: int, born: float, log: Path, popen: subprocess.Popen[bytes] | None = None) -> None:
        self.name = name
        self.pid = pid
        self.born = born
        self.log = log
        self._popen = popen

    @property
    def alive(self) -> bool:
        """Whether it runs; a zombie does not."""
        if self._popen is not None:
            return self._popen.poll() is None
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.born) < _BORN_TOLERANCE and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    @property
    def returncode(self) -> int | None:
        """Its exit status (negative: the signal), None while it runs or where it is not our own child."""
        return None if self._popen is None else self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal; nothing where it has ended already."""
        if self.alive:
            os.kill(self.pid, number)

    def wait(self, timeout: float) -> bool:
        """Whether it has ended within `timeout` seconds."""
        return wait_for(lambda: not self.alive, timeout)

    def stop(self, timeout: float = 30.0) -> bool:
        """SIGTERM, then after `timeout` seconds SIGKILL. Returns after its end: whether it ended by itself."""
        self.send(signal.SIGTERM)
        if self.wait(timeout):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        self.send(signal.SIGKILL)
        self.wait(10.0)


def spawn(
    name: str, argv: Sequence[str], log: Path, *, bound: bool, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Child:
    """Starts `argv` in a session of its own (a Ctrl+C in the terminal is not for it), its output appended to `log`.

    bound: the child is killed when this process ends, however it ends (Linux; elsewhere it is left).
    env: added to this process's own environment.
    """
    prefix = ["setpriv", "--pdeathsig", "KILL", "--"] if bound and shutil.which("setpriv") else []
    log.parent.mkdir(parents=True, exist_ok=True)

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                [*prefix, *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )

    popen = _spawner.submit(start).result()
    try:
        born = psutil.Process(popen.pid).create_time()
    except psutil.NoSuchProcess:
        born = time.time()
    return Child(name, popen.pid, born, log, popen)


def wait_for(condition: Callable[[], bool], timeout: float) -> bool:
    """Polls until `condition` holds; whether it did within `timeout` seconds."""
    end = time.monotonic() + timeout
    pause = 0.005
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return True


def wait_ready(child: Child, ready: Callable[[], bool], address: str, timeout: float) -> None:
    """Returns when `ready` holds. Raises ServerDied, DiskFull or NotReady, the child killed in that case."""
    if not wait_for(lambda: not child.alive or ready(), timeout):
        child.kill()
        raise NotReady(child.name, address, timeout, child.log)
    if not child.alive:
        reason = complaint(child.log)
        if "No space left on device" in reason:
            raise DiskFull(child.log.parent, child.name, 0, 500)
        raise ServerDied(child.name, child.returncode, reason, child.log)


def complaint(log: Path) -> str:
    """The line of a log's end that tells best what went wrong, cut to 200 characters."""
    lines = [line.strip() for line in tail(log, 200) if line.strip()]
    for sign in ("No space left on device", "Address already in use", "FATAL", "[ERROR]", "ERROR", "Exception", "Error"):
        found = [line for line in lines if sign in line]
        if found:
            return found[-1][:200]
    return lines[-1][:200] if lines else "it said nothing"


def tail(log: Path, lines: int) -> list[str]:
    """The last `lines` lines of a log; none where there is no such file."""
    if not log.exists():
        return []
    with log.open(errors="replace") as text:
        return list(deque(text, maxlen=lines))
