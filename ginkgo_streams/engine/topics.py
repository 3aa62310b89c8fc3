"""What a topic is: its settings, declared once and checked against the broker before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it has to be. `config` holds the broker's own setting names. replicas: 0 for three, or as many as there are
    brokers."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 0


def kept(name: str, partitions: int, days: float) -> TopicSpec:
    """A topic whose records are deleted after some days."""
    return TopicSpec(name, partitions, {"cleanup.policy": "delete", "retention.ms": str(int(days * DAY_MS))})


def compacted(name: str, partitions: int, lag_ms: int = 600_000) -> TopicSpec:
    """A topic of which the last record of each key is kept. Segments are closed every ten minutes: only closed ones are compacted,
    and a changelog that rewrites its values every few seconds would fill the disk by then.

    lag_ms: how long a record is safe from compaction. Ten minutes: a fenced owner's late record may hide the
    value before it only after the new owner has rewritten that value.
    """
    return TopicSpec(name, partitions, {"cleanup.policy": "compact", "min.compaction.lag.ms": str(lag_ms), "segment.ms": "600000"})
