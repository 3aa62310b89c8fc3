"""Who is in a consumer group: liveness here is the group's, not a key's in Redis.

aiokafka 0.14 pairs version 3 of this request with version 2 of its answer and drops the connection over it; until that is mended the
request is sent here, in version 2 at most, past `AIOKafkaAdminClient.describe_consumer_groups` (one private method of the client).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, GroupLoadInProgressError, KafkaError, NotCoordinatorForGroupError, for_code
from aiokafka.protocol.admin import DescribeGroupsRequest_v0, DescribeGroupsRequest_v1, DescribeGroupsRequest_v2
from aiokafka.protocol.api import Request

COORDINATOR_S = 15.0
"""How long a broker may take to name a group's coordinator: at the first group of all it makes a topic for them first."""

_PASSING = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)


class _DescribeGroups(Request[DescribeGroupsRequest_v0 | DescribeGroupsRequest_v1 | DescribeGroupsRequest_v2]):  # type: ignore[misc]
    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(
        self, request_struct_class: type[DescribeGroupsRequest_v0 | DescribeGroupsRequest_v1 | DescribeGroupsRequest_v2]
    ) -> DescribeGroupsRequest_v0 | DescribeGroupsRequest_v1 | DescribeGroupsRequest_v2:
        """The request in a version that the broker knows."""
        return request_struct_class([self._group])


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member. metadata: what it told the leader, assignment: what it was given; both only while the group is settled."""

    member_id: str
    host: str
    metadata: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group as its coordinator has it."""

    state: str
    members: tuple[GroupMember, ...]

    @property
    def settled(self) -> bool:
        """Whether no rebalance is under way."""
        return self.state in ("Stable", "Empty", "Dead")


async def group_members(admin: AIOKafkaAdminClient, groups: Sequence[str]) -> dict[str, int]:
    """How many members each group has; a group that never was has none. Raises KafkaError."""
    return {group: len((await describe_group(admin, group)).members) for group in groups}


async def describe_group(admin: AIOKafkaAdminClient, group: str) -> Group:
    """A group; one that never was is Dead, without members. Raises KafkaError."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + COORDINATOR_S
    while True:
        try:
            response = await admin._send_request(_DescribeGroups(group), await admin.find_coordinator(group))
            code, _, state, _, _, members = response.groups[0]
            if code:
                raise for_code(code)(f"describing group {group}")
            return Group(state, tuple(GroupMember(name, host, metadata, given) for name, _, host, metadata, given in members))
        except _PASSING as error:
            if loop.time() > deadline:
                raise KafkaError(f"no coordinator for group {group} within {COORDINATOR_S:g} s: {error!r}") from error
            await asyncio.sleep(0.2)
