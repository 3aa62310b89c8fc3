"""Properties of versions: what two configs differ in brings the one back out of the other, whatever stands in them."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ginkgo_streams.domain.versions import Version, differences, earlier, restored, undo

LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3).map(lambda x: x + 0.0) | st.sampled_from(["", "a", "b"])
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3))
CONFIGS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


def exact(value: Any) -> bytes:
    """Bytes that tell 1, 1.0 and true apart; the order of keys does not count."""
    return msgspec.json.encode(value, order="deterministic")


@given(CONFIGS, CONFIGS)
def test_undo_brings_the_config_before_back_and_leaves_the_one_after_as_it_is(before: dict[str, Any], after: dict[str, Any]) -> None:
    kept = copy.deepcopy(after)
    steps = msgspec.msgpack.decode(msgspec.msgpack.encode(undo(before, after)), type=list[Any])
    assert len(steps) == len(undo(before, after))
    assert exact(restored(after, undo(before, after))) == exact(before)
    assert exact(after) == exact(kept)
    assert (differences(before, after) == []) == (exact(before) == exact(after))


@given(st.lists(CONFIGS, min_size=1, max_size=6))
def test_every_version_has_its_config_however_many_changes_there_were(configs: list[dict[str, Any]]) -> None:
    versions = [Version(1, 0, "", "")]
    versions += [Version(i + 2, 0, "", "", undo(old, new)) for i, (old, new) in enumerate(pairwise(configs))]
    found = [(version.version, exact(config)) for version, config in earlier(configs[-1], versions)]
    assert found == [(i + 1, exact(config)) for i, config in reversed(list(enumerate(configs)))]
