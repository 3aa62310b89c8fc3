"""Whose messages count: of each source, only those of its newest owner (docs/architecture.md, fencing)."""

from __future__ import annotations


class Fences:
    """Greatest epoch claimed, per input topic and source. Kept in the slot's own record, so it outlives the process."""

    def __init__(self, claimed: dict[str, dict[int, int]] | None = None) -> None:
        self.claimed: dict[str, dict[int, int]] = {} if claimed is None else claimed

    def claim(self, topic: str, source: int, epoch: int) -> bool:
        """Take note of a claim. False where it is no news: a repeat, or an owner that woke up late."""
        known = self.claimed.setdefault(topic, {})
        if epoch <= known.get(source, -1):
            return False
        known[source] = epoch
        return True

    def admits(self, topic: str, source: int, epoch: int) -> bool:
        """Whether a message of this source and epoch counts. A source that never claimed has epoch -1."""
        return epoch >= self.claimed.get(topic, {}).get(source, -1)
