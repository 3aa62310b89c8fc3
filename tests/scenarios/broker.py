"""Kafka for scenarios: topics as lists of bytes, with the partitions that the real topics have."""

from __future__ import annotations

from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.topics import all_topics

Entry = tuple[bytes, bytes]
"""Key and value."""


class Broker:
    """Records are appended and never change; an offset is a place in the list."""

    def __init__(self, slots: int, markets: int) -> None:
        self.partitions: dict[str, list[list[Entry]]] = {
            spec.name: [[] for _ in range(spec.partitions)] for spec in all_topics(slots, markets)
        }

    def send(self, topic: str, key: bytes, value: bytes, partition: int | None = None) -> None:
        """Append a record; without a partition it goes where Kafka's default partitioner puts its key."""
        places = self.partitions[topic]
        places[partition_of(key.decode(), len(places)) if partition is None else partition].append((key, value))

    def log(self, topic: str, partition: int) -> list[Entry]:
        """The records of a partition."""
        return self.partitions[topic][partition]

    def values(self, topic: str) -> list[bytes]:
        """The values of all partitions, partition by partition."""
        return [value for records in self.partitions[topic] for _, value in records]
