"""Fixtures of the whole suite: the servers that tests speak to, each a real one."""

from __future__ import annotations

from tests.servers.kafka import fresh_kafka, kafka

__all__ = ["fresh_kafka", "kafka"]
