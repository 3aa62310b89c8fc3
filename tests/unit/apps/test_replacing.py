"""When the leader asks for a new placement: after a decision that moves something, and never for anything else."""

from __future__ import annotations

import pytest

from ginkgo_streams import messages as m
from ginkgo_streams.apps.replacing import copies_there, due
from ginkgo_streams.engine.assignor import Placed, Wishes
from ginkgo_streams.engine.placement import Node

NODES = (Node("a"), Node("b"))
SLOTS = 4


def placed(wishes: Wishes) -> Placed:
    return Placed(NODES, wishes, wishes.place(SLOTS, NODES, {}, {}, 1), 1)


def test_pin_when_it_moves_a_slot_then_a_placement_is_due_and_when_the_slot_is_there_not() -> None:
    before = placed(Wishes())
    slot = next(slot for slot, node in before.placement.active.items() if node == "a")
    assert due(before, Wishes(pins={slot: "b"}))
    assert not due(before, Wishes(pins={slot: "a"}))
    assert not due(before, Wishes(pins={slot: "gone"}))


def test_node_when_disabled_or_enabled_then_a_placement_is_due() -> None:
    assert due(placed(Wishes()), Wishes(disabled={"a"}))
    assert due(placed(Wishes(disabled={"a"})), Wishes())
    assert not due(placed(Wishes()), Wishes(disabled={"gone"}))


def test_weights_when_they_change_then_a_placement_is_due_only_when_asked_for() -> None:
    before = placed(Wishes(weights=dict.fromkeys(range(SLOTS), 1)))
    mine = [slot for slot, node in before.placement.active.items() if node == "a"]
    uneven = {slot: 3 if slot in mine else 0 for slot in range(SLOTS)}
    assert not due(before, Wishes(weights=uneven))
    assert due(before, Wishes(weights=uneven, asked="now"))
    assert not due(before, Wishes(weights=before.wishes.weights, asked="now"))


def test_follower_when_a_decision_comes_then_it_leaves_it_to_the_leader() -> None:
    assert not due(None, Wishes(disabled={"a"}))


def said(**generations: int) -> dict[str, m.ScheduleUpdate]:
    """Of each node, in which generation it said that its copies are up to date."""
    told = {"timestamp": "2026-11-30T01:30:00.000Z", "kind": "copies"}
    return {node: m.ScheduleUpdate(**told, subject=node, value=value) for node, value in generations.items()}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("heirs", "generations", "there"),
    [
        ({0: "a", 1: "b"}, {"a": 7, "b": 7}, True),
        ({0: "a", 1: "b"}, {"a": 7}, False),
        ({0: "a"}, {"a": 6, "b": 7}, False),  # of an earlier group, or an earlier placement
        ({0: "a"}, {"a": 8}, False),
        ({0: "a#member-2"}, {"a": 7}, True),
        ({}, {"a": 7}, False),
    ],
)
def test_slots_that_wait_when_all_their_heirs_have_copies_in_this_generation_then_a_placement_is_due(
    heirs: dict[int, str], generations: dict[str, int], there: bool
) -> None:
    wishes = Wishes()
    made = Placed(NODES, wishes, wishes.place(SLOTS, NODES, {}, {}, 1), 1, heirs)
    assert copies_there(made, said(**generations), 7) is there
    assert not copies_there(None, said(**generations), 7)


def test_decision_when_it_is_what_slots_wait_for_already_then_no_placement_is_due() -> None:
    start = placed(Wishes()).placement
    pins = {next(slot for slot, node in start.active.items() if node == "a"): "b"}
    target = Wishes(pins=pins).place(SLOTS, NODES, start.active, start.standby, 1)
    moving = {slot: node for slot, node in target.active.items() if node != start.active[slot]}
    waits = Placed(NODES, Wishes(pins=pins), start, 1, moving)
    assert not due(waits, Wishes(pins=pins, asked="now"))
    assert due(waits, Wishes())
