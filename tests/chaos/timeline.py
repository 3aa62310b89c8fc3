"""All logs and disturbances of a run in one file, in order of time: what one reads first when a run has found something."""

from __future__ import annotations

import threading
import time
from pathlib import Path

LOOK_S = 0.1


class Timeline:
    """Follows the logs of processes; a line is dated when it is seen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._began = time.monotonic()
        self._logs: dict[str, tuple[Path, int]] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="timeline", daemon=True)
        self._thread.start()

    def follow(self, name: str, log: Path) -> None:
        """Take in a new log of a process, in place of its last one."""
        with self._lock:
            self._look(name)
            self._logs[name] = (log, 0)

    def say(self, text: str) -> None:
        """A line of the run's own."""
        with self._lock:
            self._write([f"*** {text}"])

    def close(self) -> None:
        """Take in what there is, and end."""
        self._ending.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._ending.wait(LOOK_S):
            self._look_all()
        self._look_all()

    def _look_all(self) -> None:
        with self._lock:
            for name in self._logs:
                self._look(name)

    def _look(self, name: str) -> None:
        log, seen = self._logs.get(name, (Path(), 0))
        if not log.is_file():
            return
        with log.open("rb") as text:
            text.seek(seen)
            new = text.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._logs[name] = (log, seen + len(whole))
        self._write([f"{name:10} {line}" for line in whole.decode(errors="replace").splitlines() if line.strip()])

    def _write(self, lines: list[str]) -> None:
        if lines:
            at = time.monotonic() - self._began
            with self.path.open("a") as file:
                file.writelines(f"{at:9.2f} {line}\n" for line in lines)
