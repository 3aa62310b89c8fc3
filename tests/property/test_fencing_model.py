"""Claim, recover, commit, fence: no interleaving of their steps loses an order or has one taken twice, and each rule is needed."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from .fencing_model import Bounds, Rules, Violation, check, start, steps, walk, without

# Each is walked through whole; together they hold every pair of what makes a world large.
WORLDS = [
    Bounds(processes=2, generations=3, inputs=2, kills=0, compactions=0),
    Bounds(processes=2, generations=3, inputs=1, kills=1, compactions=0),
    Bounds(processes=2, generations=2, inputs=1, kills=1, compactions=1),
    Bounds(processes=2, generations=3, inputs=1, kills=0, compactions=1, rewrites=0),
]


@pytest.mark.parametrize("bounds", WORLDS, ids=str)
def test_fencing_in_every_interleaving_of_a_small_world_loses_and_doubles_nothing(bounds: Bounds) -> None:
    assert walk(Rules(), bounds) > 10_000


@pytest.mark.parametrize("rule_name", Rules.__dataclass_fields__)
def test_fencing_without_one_of_its_rules_goes_wrong(rule_name: str) -> None:
    """A model that finds nothing proves nothing: with any rule taken out it finds the way to an error."""
    with pytest.raises(Violation):
        walk(without(rule_name), Bounds(processes=2, generations=3, inputs=1, kills=1, compactions=int(rule_name == "compaction_lag")))


class LargeWorld(RuleBasedStateMachine):
    """A walk at random through a world that is too large to be walked through whole."""

    bounds = Bounds(processes=3, generations=6, inputs=4, kills=3, compactions=2, rewrites=2)

    def __init__(self) -> None:
        super().__init__()
        self.world = start(self.bounds)

    @rule(choices=st.lists(st.integers(0, 30), min_size=1, max_size=8))
    def go_on(self, choices: list[int]) -> None:
        for choice in choices:
            possible = list(steps(self.world, Rules(), self.bounds))
            if possible:
                _, self.world = possible[choice % len(possible)]
                check(self.world, Rules(), self.bounds)

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        check(self.world, Rules(), self.bounds)


TestLargeWorld = LargeWorld.TestCase
TestLargeWorld.settings = settings(max_examples=300, stateful_step_count=25, deadline=None)
