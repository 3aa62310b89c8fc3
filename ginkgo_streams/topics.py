"""Every topic of Ginkgo, in one place: name, partitions, retention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from ginkgo_streams.engine.topics import TopicSpec, compacted, kept

SLOTS = 24
MARKET_PARTITIONS = 10

NODE_APP = "execution_node_group"
LIVECORE_APP = "livecore_group"

MARKET_DATA = "ginkgo.live.market.data"
SUBMISSION = "ginkgo.live.orders.submission"
FEEDBACK = "ginkgo.live.orders.feedback"
CONTROL = "ginkgo.live.control.commands"
SCHEDULE = "ginkgo.live.schedule.updates"
EVENTS = "ginkgo.live.system.events"
ALERTS = "ginkgo.alerts"

TICKS = f"{NODE_APP}.ticks"
SNAPSHOTS = f"{NODE_APP}.snapshots"
INTEREST = f"{NODE_APP}.interest"
SIM_ORDERS = f"{LIVECORE_APP}.sim.orders"
HALTS = f"{LIVECORE_APP}.halts"

DLQ = ".dlq"


def changelog(app: str, table: str) -> str:
    """The changelog topic that Faust gives a table of an app."""
    return f"{app}-{table}-changelog"


def all_topics(
    slots: int = SLOTS, market_partitions: int = MARKET_PARTITIONS, replicas: Mapping[str, int] = MappingProxyType({})
) -> list[TopicSpec]:
    """Every topic, dead-letter topics and changelogs included. replicas: of topics that do not take the usual number."""
    public = [
        kept(MARKET_DATA, market_partitions, 7),
        kept(SUBMISSION, slots, 30),
        kept(FEEDBACK, slots, 30),
        kept(CONTROL, slots, 7),
        compacted(SCHEDULE, 1),
        kept(EVENTS, 3, 7),
        kept(ALERTS, 3, 30),
    ]
    internal = [
        kept(TICKS, slots, 1 / 24),
        compacted(SNAPSHOTS, slots),
        compacted(INTEREST, 1),
        kept(SIM_ORDERS, market_partitions, 7),
        compacted(HALTS, 1),
        compacted(changelog(NODE_APP, "portfolios"), slots),
        compacted(changelog(NODE_APP, "windows"), slots),
        compacted(changelog(LIVECORE_APP, "gateway"), slots),
        compacted(changelog(LIVECORE_APP, "exchange"), market_partitions),
    ]
    dead = [kept(name + DLQ, 1, 30) for name in (MARKET_DATA, SUBMISSION, FEEDBACK, CONTROL, ALERTS, TICKS, SIM_ORDERS, SNAPSHOTS)]
    return [replace(spec, replicas=replicas.get(spec.name, 0)) for spec in public + internal + dead]
