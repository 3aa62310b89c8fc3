"""Kafka's default partitioner: where a key's messages go, for every producer in every language."""

from __future__ import annotations

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int) -> int:
    """The partition of a key: murmur2 of its bytes, sign bit off, modulo (org.apache.kafka BuiltInPartitioner)."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)
