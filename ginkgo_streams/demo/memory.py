"""Memory of the demo: the resident sets of its processes, added up."""

from __future__ import annotations

from collections.abc import Iterable

import psutil


class Memory:
    """Resident memory of this process and of some others. What they share is counted in each, so it is no less than the truth."""

    def __init__(self) -> None:
        self.most_mb = 0.0
        """The largest sum that was ever measured, in 2**20 bytes."""
        self.by_pid: dict[int, float] = {}

    def measure(self, pids: Iterable[int]) -> float:
        """The sum now, in 2**20 bytes; a process that is gone has none."""
        me = psutil.Process().pid
        self.by_pid = {pid: _resident(pid) / 2**20 for pid in {me, *pids}}
        total = sum(self.by_pid.values())
        self.most_mb = max(self.most_mb, total)
        return total


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
