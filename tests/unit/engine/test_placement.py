"""Placement, case by case: capacities, disabled nodes, pins, weights, and who takes over from whom."""

from __future__ import annotations

from collections import Counter

import pytest

from ginkgo_streams.engine.placement import Node, Placement, await_copies, place

A, B, C, D = Node("a"), Node("b"), Node("c"), Node("d")


def test_slots_when_nothing_was_before_are_spread_evenly() -> None:
    placed = place(24, [A, B, C])
    assert Counter(placed.active.values()) == {"a": 8, "b": 8, "c": 8}
    assert Counter(copy for copies in placed.standby.values() for copy in copies) == {"a": 8, "b": 8, "c": 8}


def test_no_node_when_slots_wait_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match="24 slots and no node"):
        place(24, [])


def test_node_id_when_given_twice_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="two nodes are called a:"):
        place(4, [A, B, Node("a", 5)])


def test_negative_numbers_when_given_are_errors_that_name_them() -> None:
    with pytest.raises(ValueError, match="weight of slot 2 is -1"):
        place(4, [A], weights={2: -1})
    with pytest.raises(ValueError, match="capacity of node z is -5"):
        place(4, [Node("z", -5)])
    with pytest.raises(ValueError, match="replicas is -1"):
        place(4, [A], replicas=-1)


def test_portfolios_when_past_counting_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"less than 2\*\*31"):
        place(2, [A, B], weights={0: 2**31})


# Capacities


def test_small_node_when_others_have_room_is_filled_to_its_capacity_only() -> None:
    placed = place(12, [Node("a", 2), B, C], weights=dict.fromkeys(range(12), 1))
    assert Counter(placed.active.values()) == {"a": 2, "b": 5, "c": 5}
    assert placed.over_capacity == ()


def test_node_when_more_than_it_may_run_was_on_it_gives_the_excess_away() -> None:
    previous = {0: "a", 1: "a", 2: "a", 3: "b", 4: "b", 5: "b"}
    placed = place(6, [Node("a", 2), B], weights=dict.fromkeys(range(6), 1), previous=previous)
    assert Counter(placed.active.values()) == {"a": 2, "b": 4}
    assert all(placed.active[slot] == "b" for slot in (3, 4, 5))


def test_portfolios_when_capacities_do_not_suffice_are_all_placed_and_the_nodes_named() -> None:
    placed = place(12, [Node("a", 2), Node("b", 4)], weights=dict.fromkeys(range(12), 1))
    assert Counter(placed.active.values()) == {"a": 5, "b": 7}  # three too many on each
    assert placed.over_capacity == ("a", "b")


def test_empty_slots_when_nodes_are_full_are_spread_and_count_nothing() -> None:
    placed = place(12, [Node("a", 1), Node("b", 1)], weights={0: 1, 1: 1})
    assert Counter(placed.active.values()) == {"a": 6, "b": 6}
    assert placed.over_capacity == ()


def test_heavy_slots_when_only_an_exchange_makes_them_fit_are_exchanged() -> None:
    # a runs 10 of 9 and b 8 of 9; no slot of a fits into b's room of one, but 2 against 1 does.
    weights = {0: 2, 1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 7: 2, 8: 1, 9: 1}
    previous = {slot: "a" if slot < 5 else "b" for slot in range(10)}
    placed = place(10, [Node("a", 9), Node("b", 9)], weights=weights, previous=previous)
    assert placed.over_capacity == ()
    assert sum(placed.active[slot] != node_id for slot, node_id in previous.items()) == 2


# Disabled nodes


def test_disabled_node_when_others_live_gets_neither_slot_nor_standby() -> None:
    previous = {slot: "abc"[slot % 3] for slot in range(12)}
    placed = place(12, [A, B, C], disabled={"a"}, previous=previous, pins={0: "a"})
    assert Counter(placed.active.values()) == {"b": 6, "c": 6}
    assert "a" not in {copy for copies in placed.standby.values() for copy in copies}
    assert all(placed.active[slot] == node_id for slot, node_id in previous.items() if node_id != "a")


def test_disabled_nodes_when_there_are_no_others_run_everything() -> None:
    placed = place(6, [A, B], disabled=["a", "b", "gone"], pins={0: "b"})
    assert Counter(placed.active.values()) == {"a": 3, "b": 3}
    assert placed.active[0] == "b"


# Pins


def test_pin_when_set_moves_the_slot_and_leaves_a_standby_where_it_was() -> None:
    before = place(12, [A, B, C])
    slot = next(slot for slot, node_id in before.active.items() if node_id == "a")
    after = place(12, [A, B, C], pins={slot: "c"}, previous=before.active, previous_standby=before.standby)
    assert after.active[slot] == "c"
    assert after.standby[slot] == ("a",)
    assert Counter(after.active.values()) == {"a": 4, "b": 4, "c": 4}


def test_pins_when_all_name_one_node_go_before_balance_and_capacity() -> None:
    placed = place(4, [Node("a", 1), B], pins=dict.fromkeys(range(4), "a"), weights=dict.fromkeys(range(4), 1))
    assert set(placed.active.values()) == {"a"}
    assert placed.over_capacity == ("a",)


def test_pin_when_its_node_is_dead_is_ignored() -> None:
    assert place(6, [A, B], pins={0: "gone"}) == place(6, [A, B])


# Weights


def test_portfolios_when_slots_are_uneven_are_balanced_before_slots() -> None:
    placed = place(5, [A, B], weights={0: 4, 1: 1, 2: 1, 3: 1, 4: 1})
    assert {slot for slot, node_id in placed.active.items() if node_id == placed.active[0]} == {0}


def test_uneven_slots_when_all_are_new_are_placed_heaviest_first() -> None:
    weights = {0: 1, 1: 1, 2: 3, 3: 3, 4: 4}
    placed = place(5, [A, B], weights=weights)
    assert sum(weights[slot] for slot, node_id in placed.active.items() if node_id == "a") == 6


def test_empty_slots_when_portfolios_are_balanced_even_out_the_slots() -> None:
    placed = place(6, [A, B], weights={0: 2, 1: 1, 2: 1})
    load = Counter[str]()
    for slot, node_id in placed.active.items():
        load[node_id] += {0: 2, 1: 1, 2: 1}.get(slot, 0)
    assert load == {"a": 2, "b": 2}
    assert Counter(placed.active.values()) == {"a": 3, "b": 3}


def test_slot_when_moving_it_would_only_turn_the_imbalance_round_stays() -> None:
    previous = {0: "a", 1: "a", 2: "b"}
    placed = place(3, [A, B], weights={0: 5, 1: 5, 2: 6}, previous=previous)
    assert placed.active == previous


# Taking over


def test_orphaned_slots_when_balance_allows_go_to_their_standbys() -> None:
    before = place(24, [A, B, C, D])
    after = place(24, [B, C, D], previous=before.active, previous_standby=before.standby)
    orphans = [slot for slot, node_id in before.active.items() if node_id == "a"]
    assert [(after.active[slot],) for slot in orphans] == [before.standby[slot] for slot in orphans]
    assert all(after.active[slot] == before.active[slot] for slot in before.active if slot not in orphans)


def test_orphaned_slots_when_any_node_would_do_choose_their_standbys() -> None:
    standby = {0: ("c",), 1: ("c",), 2: ("b",), 3: ("b",), 4: ("a",), 5: ("a",)}
    placed = place(6, [A, B, C], previous=dict.fromkeys(range(6), "gone"), previous_standby=standby)
    assert {slot: (node_id,) for slot, node_id in placed.active.items()} == standby


@pytest.mark.parametrize("weight", [0, 1])
def test_orphaned_slot_when_its_standby_is_as_full_as_an_owner_moves_before_the_owners_slots(weight: int) -> None:
    # a owns three, b owns two and keeps the orphan's copy, c owns one: one slot has to go to c, and it need not be a running one.
    previous = {0: "a", 1: "a", 2: "a", 3: "b", 4: "b", 5: "gone", 6: "c"}
    weights = dict.fromkeys(range(7), weight)
    placed = place(7, [A, B, C], weights=weights, previous=previous, previous_standby={5: ("b",)})
    assert placed.active == {**previous, 5: "c"}


def test_orphaned_slots_when_one_node_has_all_the_standbys_are_shared_out() -> None:
    previous = {0: "gone", 1: "gone", 2: "gone", 3: "gone", 4: "b", 5: "c"}
    placed = place(6, [B, C], previous=previous, previous_standby=dict.fromkeys(range(4), ("b",)))
    assert Counter(placed.active.values()) == {"b": 3, "c": 3}
    assert (placed.active[4], placed.active[5]) == ("b", "c")


def test_standbys_when_a_node_dies_are_replaced_where_lost_and_kept_elsewhere() -> None:
    before = place(24, [A, B, C, D])
    after = place(24, [A, B, C], previous=before.active, previous_standby=before.standby)
    untouched = [slot for slot in before.active if "d" not in (before.active[slot], *before.standby[slot])]
    assert [after.standby[slot] for slot in untouched] == [before.standby[slot] for slot in untouched]
    assert Counter(copy for copies in after.standby.values() for copy in copies) == {"a": 8, "b": 8, "c": 8}


def test_standbys_of_one_node_when_chosen_are_shared_by_all_others() -> None:
    placed = place(24, [A, B, C, D])
    pairs = Counter((placed.active[slot], copy) for slot, copies in placed.standby.items() for copy in copies)
    assert sorted(pairs.values()) == [2] * 12


def test_slots_when_their_node_comes_back_go_over_while_the_old_owner_stays_as_standby() -> None:
    before = place(6, [A, B])
    after = place(6, [A, B, C], previous=before.active, previous_standby=before.standby)
    moved = [slot for slot in before.active if after.active[slot] != before.active[slot]]
    assert {after.active[slot] for slot in moved} == {"c"}
    assert [after.standby[slot] for slot in moved] == [(before.active[slot],) for slot in moved]


def test_standby_when_there_is_one_node_is_none() -> None:
    placed = place(3, [A], replicas=2)
    assert placed.standby == {0: (), 1: (), 2: ()}


def test_copies_when_an_heir_has_none_then_the_slot_stays_and_the_heir_keeps_one_beside_those_there_are() -> None:
    owners, copies = {0: "a", 1: "a", 2: "b"}, {0: ("b",), 1: ("b",), 2: ("a",)}
    target = Placement({0: "c", 1: "a", 2: "b"}, {0: ("a",), 1: ("b",), 2: ("a",)}, ())
    now, waiting = await_copies(target, owners, copies, {"a": (), "b": (0, 1), "c": ()})
    assert now == Placement(owners, {0: ("c", "b"), 1: ("b",), 2: ("a",)}, ())
    assert waiting == {0: "c"}


@pytest.mark.parametrize("warm", [{"a": (), "c": (0,)}, {"a": ()}, {}], ids=["has it", "does not say", "nobody says"])
def test_copies_when_the_heir_has_one_or_does_not_say_then_the_slot_moves_at_once(warm: dict[str, tuple[int, ...]]) -> None:
    target = Placement({0: "c"}, {0: ("a",)}, ())
    assert await_copies(target, {0: "a"}, {}, warm) == (target, {})


def test_copies_when_a_slot_has_no_owner_that_is_there_then_it_moves_at_once() -> None:
    target = Placement({0: "c"}, {0: ()}, ())
    assert await_copies(target, {}, {}, {"c": ()}) == (target, {})
