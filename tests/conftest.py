"""Fixtures of the whole suite: the servers that tests speak to, each a real one."""

from __future__ import annotations

from hypothesis import settings

from tests.servers.databases import fresh_mariadb, mariadb, redis_server
from tests.servers.kafka import fresh_kafka, kafka
from tests.servers.toxiproxy import proxied_kafka, toxiproxy

__all__ = ["fresh_kafka", "fresh_mariadb", "kafka", "mariadb", "proxied_kafka", "redis_server", "toxiproxy"]

# The suite says the same twice: its examples follow from the tests themselves. `make fuzz` tries others.
settings.register_profile("same", derandomize=True)
settings.register_profile("new", print_blob=True)
settings.load_profile("same")
