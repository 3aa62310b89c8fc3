"""The Scheduler's looks: what it says of nodes that come, leave, die and come back, of portfolios that move, and of capacity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ginkgo_streams import messages as m
from ginkgo_streams.apps.lookout import STOPPED, Found, Lookout, Seen
from ginkgo_streams.schedule.members import NodeMember

A, B = "node-a", "node-b"


@dataclass
class World:
    """A cluster in words; what was put on record is on record at the next look."""

    lookout: Lookout = field(default_factory=lambda: Lookout(3.0))
    nodes: dict[str, NodeMember] | None = field(default_factory=dict)
    running: dict[int, m.InterestUpdate] = field(default_factory=dict)
    known: dict[str, m.ScheduleUpdate] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    at: float = 0.0

    def up(self, node_id: str, slots: Iterable[int] = (), started: int = 1, capacity: int = 0) -> None:
        assert self.nodes is not None
        self.nodes[node_id] = NodeMember(node_id, f"{node_id}-member", "127.0.0.1", capacity, started, tuple(slots), ())

    def gone(self, node_id: str) -> None:
        assert self.nodes is not None
        del self.nodes[node_id]

    def runs(self, node_id: str, *slots: int, portfolios: int = 1) -> None:
        for slot in slots:
            ids = [f"portfolio-{slot}-{number}" for number in range(portfolios)]
            self.running[slot] = m.InterestUpdate(
                timestamp="2026-01-05T01:30:00.000Z", slot=slot, codes=[], portfolios=portfolios, node_id=node_id, epoch=1, seq=1,
                portfolio_ids=ids,
            )  # fmt: skip

    def stops(self, node_id: str, started: int = 1) -> None:
        self.known[node_id] = m.ScheduleUpdate(timestamp="t", kind="node", subject=node_id, active=False, value=started, reason=STOPPED)

    def look(self) -> list[Found]:
        self.at += 1.0
        nodes = None if self.nodes is None else dict(self.nodes)
        seen = Seen(self.at, f"2026-01-05T01:30:{int(self.at):02}.000Z", nodes, dict(self.running), dict(self.known), set(self.disabled))
        found = self.lookout.look(seen)
        for each in found:
            if each.record is not None:
                self.known[each.record.subject] = each.record
        return found

    def texts(self) -> list[str]:
        return [each.text for each in self.look()]

    def alerts(self) -> list[tuple[str, str, str]]:
        return [(each.alert, each.severity, each.source) for each in self.look() if each.alert]


def two() -> World:
    """A and B are up and known; A runs slots 0 and 1, B runs 2."""
    world = World()
    world.up(A, [0, 1])
    world.up(B, [2])
    world.runs(A, 0, 1)
    world.runs(B, 2)
    world.look()
    assert world.look() == []
    return world


def test_s3_1_node_when_it_comes_then_it_is_announced_once() -> None:
    world = World()
    world.up(A)
    assert world.texts() == [f"Detected new ExecutionNode: {A}", "Assigning Portfolios to available nodes..."]
    assert world.look() == []


def test_s2_9_node_when_it_dies_without_a_word_then_a_critical_alert_with_what_it_had() -> None:
    world = two()
    world.gone(A)
    assert world.look() == []  # its word that it stops may be read a moment later
    (died,) = world.look()
    assert died.text == f"ExecutionNode {A} heartbeat timeout (3s)"
    assert (died.alert, died.severity, died.source) == ("node_offline", "critical", A)
    assert died.details == {"node_id": A, "reason": "no heartbeat for 3 s", "portfolios": 2}
    assert world.look() == []


def test_node_when_it_stops_as_told_then_it_is_not_missed_even_while_it_is_still_in_the_group() -> None:
    world = two()
    world.stops(A)
    assert world.alerts() == [("node_offline", "info", A)]
    assert world.look() == []
    world.gone(A)
    assert world.look() == []
    assert world.look() == []


def test_node_when_its_word_comes_a_look_after_it_left_then_it_is_not_missed() -> None:
    world = two()
    world.gone(A)
    assert world.look() == []
    world.stops(A)
    assert world.alerts() == [("node_offline", "info", A)]
    assert world.look() == []


def test_node_when_it_comes_back_then_it_is_said_after_a_stop_as_after_a_death() -> None:
    world = two()
    world.stops(A)
    world.gone(A)
    world.look()
    world.up(A, started=2)
    assert world.texts() == [f"ExecutionNode {A} is back online", "Rebalancing Portfolio assignments..."]
    world.gone(A)
    world.look()
    world.look()
    world.up(A, started=2)  # the same process: it was paused, and thrown out of the group
    assert world.texts()[0] == f"ExecutionNode {A} is back online"
    assert world.look() == []


def test_node_when_killed_and_started_again_before_it_is_missed_then_its_death_is_told_all_the_same() -> None:
    world = two()
    world.up(A, [0, 1], started=2)
    assert world.alerts() == [("node_offline", "critical", A), ("node_online", "info", A)]
    assert world.look() == []


def test_group_when_it_rebalances_then_nobody_is_missed() -> None:
    world = two()
    world.nodes = None
    assert [world.look() for _ in range(5)] == [[]] * 5


def test_s2_9_livecore_when_it_starts_again_then_the_dead_are_missed_and_the_living_not_announced_again() -> None:
    world = two()
    world.gone(A)
    world.lookout = Lookout(3.0)
    world.look()
    assert world.alerts() == [("node_offline", "critical", A)]
    assert world.look() == []


def test_portfolios_when_their_node_dies_then_the_move_is_told_from_its_beginning_to_its_end() -> None:
    world = two()
    world.gone(A)
    world.up(B, [0, 1, 2])
    assert world.texts() == [f"Triggering Portfolio migration from {A} to {B} (2 portfolios)"]
    world.runs(B, 0)
    assert "Portfolio portfolio-0-0 migrated successfully" in world.texts()
    world.runs(B, 1)
    assert world.texts() == ["Portfolio portfolio-1-0 migrated successfully", "Migration completed in 2.0s"]
    assert world.look() == []


def test_portfolios_when_moved_between_two_looks_then_the_move_is_told_whole() -> None:
    world = two()
    world.up(A, [0])
    world.up(B, [1, 2])
    world.runs(B, 1, portfolios=2)
    assert world.texts() == [
        f"Triggering Portfolio migration from {A} to {B} (2 portfolios)", "Portfolio portfolio-1-0 migrated successfully",
        "Portfolio portfolio-1-1 migrated successfully", "Migration completed in 1.0s",
    ]  # fmt: skip


def test_capacity_when_exceeded_then_one_alert_until_there_is_room_again() -> None:
    world = World()
    world.up(A, [0, 1], capacity=2)
    world.up(B, [2], capacity=1)
    world.runs(A, 0, 1)
    world.runs(B, 2)
    world.look()
    world.runs(B, 2, portfolios=2)
    (over,) = world.look()
    assert (over.alert, over.severity) == ("capacity_exceeded", "warning")
    assert over.details == {"portfolios": 4, "capacity": 3, "nodes": [A, B]}
    assert world.look() == []
    world.runs(B, 2, portfolios=1)
    assert world.texts() == ["3 portfolios on nodes for 3: there is room again"]
    world.disabled = {B}
    assert world.alerts() == [("capacity_exceeded", "warning", "scheduler")]


def test_capacity_when_one_node_has_no_bound_then_it_is_never_exceeded() -> None:
    world = World()
    world.up(A, [0], capacity=1)
    world.up(B, [1], capacity=0)
    world.runs(A, 0, portfolios=50)
    assert all(each.alert != "capacity_exceeded" for each in world.look())
