"""The plan: every slot with its node, its standbys, its portfolios, its lag and its pin; every node with what it has and may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from ginkgo_streams import messages as m
from ginkgo_streams.engine.provision import NoBrokers
from ginkgo_streams.group_members import Group
from ginkgo_streams.schedule.connection import Connection
from ginkgo_streams.schedule.members import NodeMember, newest, node_members
from ginkgo_streams.topics import CONTROL, FEEDBACK, NODE_APP, TICKS

INPUTS = (TICKS, FEEDBACK, CONTROL)


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """A slot. node_id: whom the group gave it to, "" for nobody or while it rebalances; running_on: who said last that it has loaded it
    and takes its events. pinned_to: "" for no pin. lag: records of its inputs that are not committed yet, -1 where not asked for; a
    slot that is up to date has the few of the last seconds, as offsets are committed with checkpoints."""

    slot: int
    node_id: str
    running_on: str
    pinned_to: str
    standbys: tuple[str, ...]
    portfolio_ids: tuple[str, ...]
    lag: int = -1


@dataclass(frozen=True, slots=True)
class NodePlan:
    """A node. status: running, disabled (it is up and idle), offline. portfolios, slots, standbys: what it was given. capacity: 0 for no
    bound. changed_at, reason, issued_by: when, why and by whom it was disabled, or when and how it came or went."""

    node_id: str
    status: str
    portfolios: int
    capacity: int
    slots: tuple[int, ...] = ()
    standbys: tuple[int, ...] = ()
    host: str = ""
    changed_at: str = ""
    reason: str = ""
    issued_by: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it. settled: no rebalance is under way, and every slot runs where the group put it."""

    settled: bool
    nodes: tuple[NodePlan, ...]
    slots: tuple[SlotPlan, ...]

    def node(self, node_id: str) -> NodePlan | None:
        """One node."""
        return next((node for node in self.nodes if node.node_id == node_id), None)

    @property
    def live(self) -> tuple[NodePlan, ...]:
        """Nodes that are in the group and not disabled."""
        return tuple(node for node in self.nodes if node.status == "running")


async def read_plan(connection: Connection, *, lag: bool = False) -> Plan:
    """The plan as it is now. lag: with each slot's, which takes another moment. Raises NoBrokers."""
    group, tables = await connection.group(), connection.tables
    pins = {int(u.subject): u.node_id for u in tables.decided("pin").values() if u.active and u.subject.isdigit()}
    lags = await _lags(connection) if lag else {}
    return make_plan(
        tables.slots, group, tables.running(), pins=pins, disabled=tables.decided("disabled"), known=tables.decided("node"), lags=lags
    )


def make_plan(
    slots: int,
    group: Group,
    running: Mapping[int, m.InterestUpdate],
    *,
    pins: Mapping[int, str] = {},
    disabled: Mapping[str, m.ScheduleUpdate] = {},
    known: Mapping[str, m.ScheduleUpdate] = {},
    lags: Mapping[int, int] = {},
) -> Plan:
    """The plan out of what the group, the owners and people said. disabled, known: the newest update of each node."""
    members = node_members(group) if group.settled else []
    owner = {slot: member.node_id for member in members for slot in member.active}
    copies: dict[int, list[str]] = {}
    for member in members:
        for slot in member.standby:
            copies.setdefault(slot, []).append(member.node_id)

    def slot_plan(slot: int) -> SlotPlan:
        seen = running.get(slot)
        return SlotPlan(
            slot=slot, node_id=owner.get(slot, ""), running_on=seen.node_id if seen else "", pinned_to=pins.get(slot, ""),
            standbys=tuple(copies.get(slot, ())), portfolio_ids=tuple(seen.portfolio_ids) if seen else (), lag=lags.get(slot, -1),
        )  # fmt: skip

    plans = tuple(slot_plan(slot) for slot in range(slots))
    settled = group.settled and all(plan.node_id and plan.node_id == plan.running_on for plan in plans)
    return Plan(settled, tuple(_nodes(members, running, disabled, known)), plans)


def _nodes(
    members: Sequence[NodeMember],
    running: Mapping[int, m.InterestUpdate],
    disabled: Mapping[str, m.ScheduleUpdate],
    known: Mapping[str, m.ScheduleUpdate],
) -> list[NodePlan]:
    alive = newest(members)
    off = {node_id for node_id, update in disabled.items() if update.active}
    found = []
    for node_id in sorted({*alive, *known, *off}):
        word = disabled[node_id] if node_id in off else known.get(node_id)
        changed_at, reason, by = (word.timestamp, word.reason, word.issued_by) if word else ("", "", "")
        member = alive.get(node_id)
        if member is None:
            found.append(NodePlan(node_id, "offline", 0, 0, changed_at=changed_at, reason=reason, issued_by=by))
            continue
        found.append(
            NodePlan(
                node_id=node_id, status="disabled" if node_id in off else "running",
                portfolios=sum(running[slot].portfolios for slot in member.active if slot in running), capacity=member.capacity,
                slots=member.active, standbys=member.standby, host=member.host, changed_at=changed_at, reason=reason, issued_by=by,
            )
        )  # fmt: skip
    return found


async def _lags(connection: Connection) -> dict[int, int]:
    slots, bootstrap = connection.tables.slots, connection.settings.kafka.bootstrap
    wanted = [TopicPartition(topic, slot) for topic in INPUTS for slot in range(slots)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        await consumer.start()
        ends, first = await consumer.end_offsets(wanted), await consumer.beginning_offsets(wanted)
        committed = await connection.admin.list_consumer_group_offsets(NODE_APP)
    except (KafkaError, OSError) as error:
        raise NoBrokers(f"Kafka at {bootstrap} does not give offsets: {error!r}") from error
    finally:
        await consumer.stop()
    done = {partition: max(committed[partition].offset, 0) if partition in committed else 0 for partition in wanted}
    lags = dict.fromkeys(range(slots), 0)
    for partition in wanted:
        lags[partition.partition] += ends[partition] - max(done[partition], first[partition])
    return lags
