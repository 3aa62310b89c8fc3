"""A disk that can be full: a small tmpfs where root may mount one, else a limit on the size of files that a process writes."""

from __future__ import annotations

import os
import resource
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

SIZE_MB = 192
"""Of the tmpfs: much more than a node's copies take, each with its logs."""


class Disk:
    """The data folder of one node."""

    def __init__(self, folder: Path) -> None:
        """folder: made where missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._ballast = folder / "ballast"
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
        self.mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
        self._limited: psutil.Process | None = None

    @property
    def kind(self) -> str:
        """How it is made full."""
        return "tmpfs" if self.mounted else "RLIMIT_FSIZE"

    def fill(self, pid: int) -> None:
        """Nothing more can be written, by the process of this pid where only a process can be limited."""
        if not self.mounted:
            self._limited = psutil.Process(pid)
            self._limited.rlimit(psutil.RLIMIT_FSIZE, (4_096, resource.RLIM_INFINITY))
            return
        block = bytes(1 << 16)
        with suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            while True:
                ballast.write(block)  # until it is full

    def empty(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)
        if self._limited is not None and self._limited.is_running():
            self._limited.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self._limited = None

    def close(self) -> None:
        """Unmount."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True)
