"""The plan out of the group's own bytes, as Faust's assignor writes them, and out of what owners and people said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from ginkgo_streams import messages as m
from ginkgo_streams.engine.app import AppSettings, EngineApp
from ginkgo_streams.engine.assignor import NodeAssignor, Wishes
from ginkgo_streams.group_members import Group, GroupMember
from ginkgo_streams.schedule.members import SLOTS_OF, newest, node_members
from ginkgo_streams.schedule.plan import make_plan
from ginkgo_streams.topics import NODE_APP

SLOTS = 4


def assignor(node_id: str, wishes: Wishes | None = None, capacity: int = 5) -> NodeAssignor:
    """That of a node's app, which is never started."""
    app = EngineApp(AppSettings(NODE_APP, node_id, "localhost:9092", Path("unused"), capacity))
    app.fenced_table("portfolios", SLOTS)
    made = app.assignor
    assert isinstance(made, NodeAssignor)
    made.wishes = lambda partitions: wishes or Wishes()
    return made


def place(leader: NodeAssignor, *members: NodeAssignor) -> Group:
    """One round of the group's protocol, through the bytes: the leader places, the members take what they are given."""
    everyone = {f"member-{number}": member for number, member in enumerate((leader, *members))}
    told = {name: member.metadata({SLOTS_OF}).encode() for name, member in everyone.items()}
    cluster = SimpleNamespace(partitions_for_topic=lambda topic: set(range(SLOTS)))
    given = leader.assign(cluster, {name: ConsumerProtocolMemberMetadata.decode(data) for name, data in told.items()})
    for name, member in everyone.items():
        member.on_assignment(given[name])
    return Group("Stable", tuple(GroupMember(name, "/127.0.0.1", told[name], given[name].encode()) for name in everyone))


def runs(node_id: str, slot: int, *portfolio_ids: str) -> m.InterestUpdate:
    return m.InterestUpdate(
        timestamp="2026-01-05T01:30:00.000Z", slot=slot, codes=[], portfolios=len(portfolio_ids), node_id=node_id, epoch=1, seq=1,
        portfolio_ids=list(portfolio_ids),
    )  # fmt: skip


def test_group_when_described_then_every_node_has_its_capacity_slots_and_standbys() -> None:
    found = {member.node_id: member for member in node_members(place(assignor("a"), assignor("b", capacity=9)))}
    assert {name: member.capacity for name, member in found.items()} == {"a": 5, "b": 9}
    assert sorted((*found["a"].active, *found["b"].active)) == list(range(SLOTS))
    assert (found["a"].standby, found["b"].standby) == (found["b"].active, found["a"].active)
    assert found["a"].host == "127.0.0.1"


def test_leader_when_it_has_placed_then_it_knows_the_placement_and_a_follower_does_not() -> None:
    leader, follower = assignor("a"), assignor("b")
    place(leader, follower)
    placed = leader.placed(SLOTS)
    assert placed is not None
    assert set(placed.placement.active.values()) == {"a", "b"}
    assert follower.placed(SLOTS) is None
    place(follower, leader)
    assert leader.placed(SLOTS) is None
    assert follower.placed(SLOTS) is not None


def test_node_that_joins_when_it_says_that_it_has_no_copies_then_slots_move_to_it_once_it_has_them() -> None:
    leader, new = assignor("a"), assignor("b")
    leader.warm = new.warm = frozenset()
    place(leader)
    first = {member.node_id: member for member in node_members(place(leader, new))}
    assert (first["a"].active, first["b"].active) == ((0, 1, 2, 3), ())
    made = leader.placed(SLOTS)
    assert made is not None
    assert len(made.waiting) == 2
    assert set(made.waiting) <= set(first["b"].standby)

    new.warm = frozenset(first["b"].standby)
    then = {member.node_id: member for member in node_members(place(leader, new))}
    assert then["b"].active == tuple(sorted(made.waiting))
    made = leader.placed(SLOTS)
    assert made is not None
    assert made.waiting == {}


def test_owner_when_two_say_that_a_slot_was_theirs_then_the_later_assignment_counts() -> None:
    away, here = assignor("a"), assignor("b")
    away.warm = here.warm = frozenset()
    place(away)
    away.app.consumer_generation_id = 1
    place(here)
    here.app.consumer_generation_id = 2
    found = {member.node_id: member for member in node_members(place(here, away))}
    assert (found["b"].active, found["a"].active) == ((0, 1, 2, 3), ())


def test_node_when_it_is_in_the_group_twice_and_disabled_then_neither_process_gets_anything() -> None:
    wishes = Wishes(disabled={"a"})
    old, new = assignor("a", wishes), assignor("a", wishes)
    new.started = old.started + 1
    members = node_members(place(old, new, assignor("b", wishes)))
    assert {member.node_id for member in members if member.active or member.standby} == {"b"}
    assert newest(members)["a"].started == new.started


def test_plan_when_all_slots_run_where_they_were_given_to_then_it_is_settled() -> None:
    group = place(assignor("a"), assignor("b"))
    owner = {slot: member.node_id for member in node_members(group) for slot in member.active}
    running = {slot: runs(node_id, slot, f"p{slot}") for slot, node_id in owner.items()}
    plan = make_plan(SLOTS, group, running, pins={1: "b"}, lags={2: 7})
    assert plan.settled
    assert [slot.pinned_to for slot in plan.slots] == ["", "b", "", ""]
    assert [slot.lag for slot in plan.slots] == [-1, -1, 7, -1]
    assert [(node.node_id, node.status, node.portfolios) for node in plan.nodes] == [("a", "running", 2), ("b", "running", 2)]
    late = make_plan(SLOTS, group, running | {0: runs("somebody", 0)})
    assert not late.settled
    assert (late.slots[0].node_id, late.slots[0].running_on) == (owner[0], "somebody")


def test_plan_when_a_node_is_disabled_or_gone_then_who_when_and_why_are_there() -> None:
    word = m.ScheduleUpdate(timestamp="2026-01-05T01:30:00.000Z", kind="disabled", subject="b", reason="new disk", issued_by="li")
    gone = m.ScheduleUpdate(timestamp="2026-01-05T01:31:00.000Z", kind="node", subject="c", active=False, reason="no heartbeat for 3 s")
    group = place(assignor("a", Wishes(disabled={"b"})), assignor("b"))
    plan = make_plan(SLOTS, group, {}, disabled={"b": word}, known={"c": gone})
    b, c = plan.node("b"), plan.node("c")
    assert b is not None
    assert c is not None
    assert (b.status, b.slots, b.standbys, b.reason, b.issued_by, b.changed_at) == ("disabled", (), (), "new disk", "li", word.timestamp)
    assert (c.status, c.reason) == ("offline", "no heartbeat for 3 s")
    assert [node.node_id for node in plan.live] == ["a"]


@pytest.mark.parametrize("state", ["PreparingRebalance", "CompletingRebalance"])
def test_plan_when_the_group_rebalances_then_it_is_not_settled(state: str) -> None:
    group = Group(state, tuple(GroupMember(f"member-{number}", "/127.0.0.1", b"", b"") for number in range(2)))
    assert not make_plan(SLOTS, group, {slot: runs("a", slot) for slot in range(SLOTS)}).settled
