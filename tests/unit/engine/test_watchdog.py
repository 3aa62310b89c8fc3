"""One partition that stands still while others move is seen."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from ginkgo_streams.engine.watchdog import Place, behind, look

A: Place = ("portfolios", 0, "in")
B: Place = ("portfolios", 1, "in")


def test_look_counts_the_looks_at_which_a_place_stood_still() -> None:
    standing: dict[Place, tuple[int, int]] = {}
    for at in (5, 6, 7):
        standing = look(standing, {A: 3, B: at})
    assert standing == {A: (3, 3), B: (7, 1)}


def test_look_place_that_caught_up_begins_anew() -> None:
    standing = look(look({}, {A: 3}), {})
    assert standing == {}
    assert look(standing, {A: 3}) == {A: (3, 1)}


def test_look_place_of_which_nothing_was_ever_taken_is_counted_from_its_first_look() -> None:
    assert look(look({}, {A: -1}), {A: -1}) == {A: (-1, 2)}


def test_recovery_that_reads_on_is_none_that_stands_still() -> None:
    """A long changelog takes longer than the watchdog's patience."""
    recovery = SimpleNamespace(active_offsets={"changelog-0": 10, "changelog-1": None}, standby_offsets={"changelog-2": 5})
    app = SimpleNamespace(rebalancing=False, in_recovery=True, consumer_generation_id=3, tables=SimpleNamespace(recovery=recovery))
    standing = look({}, asyncio.run(behind(app, [])))
    recovery.active_offsets["changelog-0"] = 11
    standing = look(standing, asyncio.run(behind(app, [])))
    assert [looks for _, looks in standing.values()] == [1]
    recovery.standby_offsets["changelog-2"] = 6
    standing = look(standing, asyncio.run(behind(app, [])))
    assert [looks for _, looks in standing.values()] == [2]
