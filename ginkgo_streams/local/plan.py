"""What a local stack is to consist of."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import msgspec

_GINKGO = (sys.executable, "-m", "ginkgo_streams.cli.main")


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to start. An address that is given is used as it is, and nothing is started for it.

    nodes, livecores: how many processes of each.
    kafka: "host:port,…" of brokers; redis: "host:port"; database_url: SQLAlchemy's.
    kafka_port, redis_port: of the servers started here; 0 takes that of the last time, else a free one.
    usual_ports: before any free one try those that everybody knows, 9092 and 6379.
    mariadb: False keeps to SQLite where MariaDB is on the machine.
    node_command, livecore_command: what runs each process; a node's id is in its environment (GINKGO_NODE__ID) and appended
    as `--node-id ID` to node_command.
    environment: added to every process's.
    """

    nodes: int = 2
    livecores: int = 1
    kafka: str | None = None
    redis: str | None = None
    database_url: str | None = None
    kafka_port: int = 0
    redis_port: int = 0
    usual_ports: bool = False
    mariadb: bool = True
    node_command: tuple[str, ...] = (*_GINKGO, "worker", "start", "--type", "execution_node")
    livecore_command: tuple[str, ...] = (*_GINKGO, "livecore", "start")
    environment: Mapping[str, str] = {}


class Addresses(msgspec.Struct, frozen=True):
    """Where the servers of a stack are. redis: "host:port". database_url holds a password."""

    kafka: str
    redis: str
    database_url: str

    def environment(self) -> dict[str, str]:
        """The variables by which Ginkgo's processes learn them; not by options, which every user of the machine can read."""
        host, _, port = self.redis.rpartition(":")
        return {
            "GINKGO_KAFKA__BOOTSTRAP_SERVERS": self.kafka,
            "GINKGO_REDIS__HOST": host,
            "GINKGO_REDIS__PORT": port,
            "GINKGO_DATABASE__URL": self.database_url,
        }
