"""Faust's partition assignor with our placement: the scheduler of the cluster, inside Kafka's own group protocol.

It runs in the group leader's consumer thread, and any member may be the leader; so pins and weights come from
tables that every process has whole (`AppPlacement`), and what only a member knows travels in its metadata.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, List, Optional  # noqa: UP035 (Faust reads these)

from faust.assignor.client_assignment import ClientAssignment, ClientMetadata, CopartitionedAssignment
from faust.assignor.cluster_assignment import ClusterAssignment
from faust.assignor.partition_assignor import PartitionAssignor

from ginkgo_streams.engine.fatal import die
from ginkgo_streams.engine.placement import Node, Placement, await_copies, place

TWIN = "#"
"""Stands between the id of a node that is in the group twice and the member's own."""


@dataclass(slots=True)
class Wishes:
    """What is known cluster-wide about one group of co-partitioned topics."""

    pins: Mapping[int, str] = field(default_factory=dict)
    disabled: Collection[str] = ()
    weights: Mapping[int, int] = field(default_factory=dict)
    asked: str = ""
    """The newest request for a placement by today's weights: any text that differs from the one before."""

    def place(
        self, slots: int, nodes: Sequence[Node], active: Mapping[int, str], standby: Mapping[int, Sequence[str]], replicas: int
    ) -> Placement:
        """The placement that follows from these wishes. active, standby: where the slots and their copies are now."""
        disabled = [node.node_id for node in nodes if node.node_id.partition(TWIN)[0] in self.disabled]
        return place(
            slots, nodes, pins=self.pins, disabled=disabled, weights=self.weights, previous=active, previous_standby=standby,
            replicas=replicas,
        )  # fmt: skip

    def orders(self) -> tuple[dict[int, str], frozenset[str], str]:
        """What people decided, without the weights, which change by themselves."""
        return dict(self.pins), frozenset(self.disabled), self.asked


@dataclass(frozen=True, slots=True)
class Placed:
    """A placement that this member has computed as the group's leader, and for whom. waiting: slots that are to move as soon as their
    heirs have copies of them (see `await_copies`)."""

    nodes: tuple[Node, ...]
    wishes: Wishes
    placement: Placement
    replicas: int
    waiting: Mapping[int, str] = field(default_factory=dict)

    def differs(self, wishes: Wishes) -> bool:
        """Whether these wishes would now place anything elsewhere."""
        now = self.placement
        found = wishes.place(len(now.active), self.nodes, now.active, now.standby, self.replicas)
        return found.active != {**now.active, **self.waiting} if self.waiting else found != now


class NodeMetadata(ClientMetadata, serializer="json", include_metadata=False, namespace="@NodeMetadata"):  # type: ignore[misc, call-arg]
    """What a member tells the leader: besides Faust's own, its node id, how many portfolios it may run, since when it is (ms), the
    generation that its assignment is of, and the slots of which it has an up-to-date copy (None: it does not say)."""

    node_id: str = ""
    capacity: int = 0
    started: int = 0
    generation: int = 0
    warm: Optional[List[int]] = None  # noqa: UP006, UP045 (Faust reads these)


class NodeAssignor(PartitionAssignor):  # type: ignore[misc]
    """`wishes(partitions)` is asked for every group of topics with that number of partitions; set by the app.

    warm: slots of which this member has an up-to-date copy, kept by the app (read in the consumer's thread, so replaced and not
    changed); None: it does not say, and slots move to it at once.
    """

    wishes: Callable[[int], Wishes] = staticmethod(lambda partitions: Wishes())
    warm: frozenset[int] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.started = time.time_ns() // 1_000_000
        """By which this process is told from an earlier one of the same node."""
        self._computed: dict[int, Placed] = {}
        self._placed: dict[int, Placed] = {}

    def placed(self, partitions: int) -> Placed | None:
        """The group's present placement of topics with that number of partitions; None where another member is the leader."""
        return self._placed.get(partitions)

    def on_assignment(self, assignment: Any) -> None:
        """Faust's own; and from here on we are the leader if, and only if, this assignment is of our making."""
        super().on_assignment(assignment)
        self._placed, self._computed = self._computed, {}

    @property
    def _metadata(self) -> NodeMetadata:
        base = super()._metadata
        engine = self.app.engine
        return NodeMetadata(
            assignment=base.assignment,
            url=base.url,
            changelog_distribution=base.changelog_distribution,
            external_topic_distribution=base.external_topic_distribution,
            topic_groups=base.topic_groups,
            node_id=engine.node_id,
            capacity=engine.capacity,
            started=self.started,
            generation=int(self.app.consumer_generation_id),
            warm=None if self.warm is None else sorted(self.warm),
        )

    @classmethod
    def _get_client_metadata(cls, metadata: Any) -> NodeMetadata:
        loaded = NodeMetadata.loads(metadata.user_data)
        assert isinstance(loaded, NodeMetadata)
        return loaded

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:
        # aiokafka swallows an exception of an assignor and the group hangs without a word.
        try:
            return self._place_all(cluster, member_metadata)
        except Exception as error:
            die("the partition assignor failed", error)

    def _place_all(self, cluster: Any, member_metadata: Any) -> Any:
        self._computed = {}
        clients = {member: self._get_client_metadata(metadata) for member, metadata in member_metadata.items()}
        subscriptions = {member: list(metadata.subscription) for member, metadata in member_metadata.items()}
        known = ClusterAssignment()
        for member in member_metadata:
            known.add_client(member, subscriptions[member], clients[member])
        self._update_member_urls(clients)
        assignments = {member: ClientAssignment(actives={}, standbys={}) for member in member_metadata}
        group_ids: dict[str, int] = {}
        groups = self._get_copartitioned_groups(known.topics(), cluster, subscriptions)
        for group_id, (partitions, topic_groups) in enumerate(sorted(groups.items())):
            for topics in topic_groups:
                group_ids.update(dict.fromkeys(topics, group_id))
                placed = self._place_group(partitions, known.copartitioned_assignments(topics), clients, self.replicas)
                for member, assignment in placed.items():
                    assignment.topics = set(topics)
                    assignments[member].add_copartitioned_assignment(assignment)
        return self._protocol_assignments(
            assignments, self._get_changelog_distribution(assignments), self._get_external_topic_distribution(assignments), group_ids
        )

    def _place_group(
        self, partitions: int, previous: Mapping[str, CopartitionedAssignment], clients: Mapping[str, NodeMetadata], replicas: int
    ) -> dict[str, CopartitionedAssignment]:
        # Two members with one node id (a process killed and started again within the session time-out, or two started
        # by mistake) are two places here: the member id keeps them apart, the pin goes to the first.
        names = _names(sorted(previous), clients)
        wishes = self.wishes(partitions)
        everyone = tuple(Node(names[member], clients[member].capacity) for member in sorted(previous))
        # Of two that say a slot was theirs, the later assignment counts: the other member was away meanwhile.
        by_age = sorted(previous, key=lambda member: (clients[member].generation, member))
        active = {slot: names[m] for m in by_age for slot in previous[m].actives}
        standby = _standbys(previous, names)
        target = wishes.place(partitions, everyone, active, standby, replicas)
        warm = {names[member]: told for member in previous if (told := clients[member].warm) is not None}
        placement, waiting = await_copies(target, active, standby, warm)
        self._computed[partitions] = Placed(everyone, wishes, placement, replicas, waiting)
        members = {name: member for member, name in names.items()}
        placed = {member: CopartitionedAssignment() for member in previous}
        for slot, node in placement.active.items():
            placed[members[node]].actives.add(slot)
        for slot, nodes in placement.standby.items():
            for node in nodes:
                placed[members[node]].standbys.add(slot)
        return placed


def _names(members: list[str], clients: Mapping[str, NodeMetadata]) -> dict[str, str]:
    names: dict[str, str] = {}
    taken: set[str] = set()
    for member in members:
        node = clients[member].node_id or member
        names[member] = node if node not in taken else f"{node}{TWIN}{member}"
        taken.add(node)
    return names


def _standbys(previous: Mapping[str, CopartitionedAssignment], names: Mapping[str, str]) -> dict[int, list[str]]:
    standbys: dict[int, list[str]] = {}
    for member in sorted(previous):
        for slot in previous[member].standbys:
            standbys.setdefault(slot, []).append(names[member])
    return standbys
