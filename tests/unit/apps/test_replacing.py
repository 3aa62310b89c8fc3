"""When the leader asks for a new placement: after a decision that moves something, and never for anything else."""

from __future__ import annotations

from ginkgo_streams.apps.replacing import due
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
