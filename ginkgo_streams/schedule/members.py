"""The execution nodes as Kafka's group coordinator knows them: who is alive, with which capacity, and which slots it was given."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

from ginkgo_streams.group_members import Group
from ginkgo_streams.topics import NODE_APP, changelog

SLOTS_OF = changelog(NODE_APP, "portfolios")
"""The topic whose partitions a node owns, or keeps copies of, where it does so of a slot."""


class _Told(msgspec.Struct):
    node_id: str = ""
    capacity: int = 0
    started: int = 0


class _Partitions(msgspec.Struct):
    actives: dict[str, list[int]] = {}
    standbys: dict[str, list[int]] = {}


class _Given(msgspec.Struct):
    assignment: _Partitions = msgspec.field(default_factory=_Partitions)


@dataclass(frozen=True, slots=True)
class NodeMember:
    """A live node. capacity: portfolios, 0 for no bound. started: when its process began, ms since 1970, by its own clock."""

    node_id: str
    member_id: str
    host: str
    capacity: int
    started: int
    active: tuple[int, ...]
    standby: tuple[int, ...]


def node_members(group: Group) -> list[NodeMember]:
    """The nodes of a settled group, by node id and start. A node that was killed and started again is in it twice for a session."""
    found = []
    for member in group.members:
        if not member.metadata or not member.assignment:
            continue  # it has joined and was given nothing yet
        told = msgspec.json.decode(ConsumerProtocolMemberMetadata.decode(member.metadata).user_data, type=_Told)
        packed = ConsumerProtocolMemberAssignment.decode(member.assignment).user_data
        given = msgspec.json.decode(zlib.decompress(packed), type=_Given).assignment
        found.append(
            NodeMember(
                node_id=told.node_id or member.member_id, member_id=member.member_id, host=member.host.lstrip("/"), capacity=told.capacity,
                started=told.started, active=tuple(sorted(given.actives.get(SLOTS_OF, ()))),
                standby=tuple(sorted(given.standbys.get(SLOTS_OF, ()))),
            )
        )  # fmt: skip
    return sorted(found, key=lambda node: (node.node_id, node.started))


def newest(members: Iterable[NodeMember]) -> dict[str, NodeMember]:
    """By node id; of a node that is there twice the later process."""
    return {member.node_id: member for member in sorted(members, key=lambda member: member.started)}
