"""The bookkeeping of one owned slot: which inputs it takes, what it writes, and what a successor is told not to see again."""

from __future__ import annotations

from typing import Any

from ginkgo_streams.engine.envelope import SLOT, seal, unseal
from ginkgo_streams.engine.owned import REWRITE_AFTER_S, Input, OwnedSlot
from ginkgo_streams.engine.reducer import Effects, Key, Output, Record


class Recorder:
    """A slot that remembers what it was given: key "k" hard, key "w" of table "windows" soft."""

    def __init__(self) -> None:
        self.applied: list[int] = []
        self.seen: list[tuple[int, bool, bool]] = []
        self.window_touched = False

    def load(self, table: str, key: str, value: bytes) -> None:
        pass

    def recovered(self) -> Effects:
        return Effects()

    def coalesce(self, messages: list[Any]) -> list[Any]:
        return messages

    def apply(self, record: Record) -> Effects:
        fresh, fresh_window = record.fresh("main", "k"), record.fresh("windows", "w")
        self.seen.append((record.offset, fresh, fresh_window))
        self.window_touched |= fresh_window
        return Effects(dirty=[("main", "k")] if fresh else [])

    def settled(self) -> Effects:
        return Effects()

    def touched(self) -> list[list[Key]]:
        return [[], [("windows", "w")] if self.window_touched else []]

    def encode(self, table: str, key: str) -> bytes:
        return b"x"


def owned(delivered: int = -1) -> OwnedSlot:
    made = OwnedSlot(0, 7, Recorder(), "main")
    made.delivered = {"in": delivered}
    return made


def fed(inputs: int) -> OwnedSlot:
    """One that has taken so many inputs."""
    made = owned()
    for offset in range(inputs):
        made.apply(item(offset))
    return made


def item(offset: int, **more: Any) -> Input:
    return Input("in", 0, offset, 1, "message", **more)


def offsets(slot: OwnedSlot) -> list[int]:
    assert isinstance(slot.slot, Recorder)
    return [offset for offset, _, _ in slot.slot.seen]


def test_apply_input_that_comes_twice_is_taken_once() -> None:
    slot = owned()
    assert [slot.apply(item(o)) for o in (0, 1, 0, 1, 2)] == [True, True, False, False, True]
    assert offsets(slot) == [0, 1, 2]


def test_apply_input_behind_a_gap_waits_until_the_gap_is_read_again() -> None:
    slot = owned(delivered=9)
    assert [slot.apply(item(o)) for o in (12, 13, 10, 11, 12)] == [False, False, True, True, True]
    assert offsets(slot) == [10, 11, 12]


def test_collect_writes_a_dirty_key_once_with_the_inputs_in_it() -> None:
    slot = owned()
    slot.apply(item(0))
    slot.apply(item(1))
    writes, outputs, _ = slot.collect(0.0)
    (write,) = writes
    assert (write.table, write.key) == ("main", b"k")
    assert unseal(write.value).applied == {"in": 1}
    assert unseal(write.value).epoch == 7
    assert outputs == []
    assert slot.collect(0.0)[0] == []


def test_checkpoint_puts_the_slot_s_own_record_before_the_windows() -> None:
    slot = owned()
    slot.apply(item(0))
    slot.collect(0.0)
    made = slot.checkpoint(0.0)
    assert [w.key for w in made.first] == [SLOT]
    assert [[w.key for w in stage] for stage in made.later] == [[b"w"]]


def test_fresh_replayed_input_is_not_seen_again_by_a_value_that_has_it() -> None:
    first = fed(3)
    (write,), _, _ = first.collect(0.0)
    successor = OwnedSlot(0, 8, Recorder(), "main")
    successor.load("main", [(write.key, write.value)], 0.0)
    successor.delivered = {"in": -1}
    for offset in range(4):
        successor.apply(item(offset))
    assert isinstance(successor.slot, Recorder)
    assert successor.slot.seen == [(0, False, True), (1, False, True), (2, False, True), (3, True, True)]


def test_fresh_slot_s_own_record_speaks_for_the_primary_table_only() -> None:
    first = fed(3)
    first.collect(0.0)
    made = first.checkpoint(0.0)
    successor = OwnedSlot(0, 8, Recorder(), "main")
    successor.load_slot(made.first[-1].value)  # the process died before the windows were sent
    successor.delivered = {"in": -1}
    successor.apply(item(2))
    successor.delivered = {"in": 1}
    successor.apply(item(2))
    assert isinstance(successor.slot, Recorder)
    assert successor.slot.seen[-1] == (2, False, True)


def test_checkpoint_in_mid_replay_says_of_windows_and_commits_no_more_than_was_read_again() -> None:
    first = fed(10)
    first.collect(0.0)
    successor = OwnedSlot(0, 8, Recorder(), "main")
    successor.load_slot(first.checkpoint(0.0).first[-1].value)  # the process died before the windows were sent, and committed nothing
    successor.delivered = {"in": -1}
    successor.recovered()
    for offset in range(4):
        successor.apply(item(offset))
    made = successor.checkpoint(0.0)
    assert unseal(made.later[0][0].value).applied == {"in": 3}
    assert successor.applied == {"in": 3}  # what the runner commits
    assert unseal(made.first[-1].value).applied == {"in": 9}
    assert unseal(successor._write(("main", "k"), 0.0).value).applied == {"in": 9}


def test_again_slot_given_back_in_mid_replay_goes_on_with_it() -> None:
    first = fed(10)
    first.collect(0.0)
    made = first.checkpoint(0.0)
    successor = OwnedSlot(0, 8, Recorder(), "main")
    successor.load("windows", [(made.later[0][0].key, made.later[0][0].value)], 0.0)
    successor.load_slot(made.first[-1].value)
    successor.delivered = {"in": -1}  # nothing was committed
    for offset in range(4):
        successor.apply(item(offset))
    successor.checkpoint(0.0)
    assert successor.is_at({"in": 3})
    again = successor.again(9)
    again.delivered = {"in": 3}
    for offset in range(4, 11):
        again.apply(item(offset))
    assert isinstance(again.slot, Recorder)
    assert again.slot is successor.slot
    assert again.slot.seen == [(o, False, False) for o in range(10)] + [(10, True, True)]
    assert {unseal(write.value).epoch for write in again.collect(0.0)[0]} == {9}


def test_is_at_slot_of_which_more_or_less_was_committed_is_not() -> None:
    slot = fed(4)
    assert [slot.is_at({"in": offset}) for offset in (2, 3, 4)] == [False, True, False]
    assert slot.is_at({"in": 3, "other": 7}), "of a topic of which nothing came, it is wherever that begins"


def test_write_during_a_replay_keeps_the_reach_of_the_recovered_value() -> None:
    first = fed(6)
    (write,), _, _ = first.collect(0.0)
    successor = OwnedSlot(0, 8, Recorder(), "main")
    successor.load("main", [(write.key, write.value)], 0.0)
    successor.delivered = {"in": 1}
    successor.apply(item(2))
    successor.dirty[("main", "k")] = None  # another topic's input changed it in mid-replay
    (again,), _, _ = successor.collect(0.0)
    assert unseal(again.value).applied == {"in": 5}


def test_claim_of_a_source_refuses_its_older_messages_and_is_written_at_once() -> None:
    slot = owned()
    slot.apply(item(0, claim=(3, 5)))
    writes, _, _ = slot.collect(0.0)
    assert [w.key for w in writes][-1] == SLOT
    assert slot.apply(item(1, fence=(3, 4)))
    assert slot.apply(item(2, fence=(3, 5)))
    assert offsets(slot) == [0, 2]
    assert slot.refused == 1


def test_output_order_is_kept() -> None:
    slot = owned()
    slot.outputs = [Output("t", b"", 0, lambda s: b"1"), Output("t", b"", 0, lambda s: b"2")]
    assert [o.encode(None) for o in slot.collect(0.0)[1]] == [b"1", b"2"]  # type: ignore[arg-type]


class Joiner(Recorder):
    """Joins all that is given together."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Any] = []

    def coalesce(self, messages: list[Any]) -> list[Any]:
        return ["+".join(messages)]

    def apply(self, record: Record) -> Effects:
        self.messages.append(record.message)
        return super().apply(record)


def test_apply_all_joins_new_inputs_in_a_row_but_none_across_a_claim_or_another_topic() -> None:
    made = OwnedSlot(0, 7, Joiner(), "main")
    other = Input("other", 0, 0, 1, "o")
    assert made.apply_all([item(0), item(1), item(1), item(2), other, item(3), item(4, claim=(1, 1)), item(5)]) == 7
    assert isinstance(made.slot, Joiner)
    assert made.slot.messages == ["message+message+message", "o", "message", "message", "message"]
    assert made.applied == {"in": 5, "other": 0}


def test_apply_all_replayed_inputs_are_given_one_by_one() -> None:
    made = OwnedSlot(0, 7, Joiner(), "main")
    made.horizon = {"in": 1}
    made.apply_all([item(0), item(1), item(2), item(3)])
    assert isinstance(made.slot, Joiner)
    assert made.slot.messages == ["message", "message", "message+message"]


def heir(values: dict[bytes, bytes], now: float, epoch: int = 8) -> OwnedSlot:
    """The owner of these values of the primary table from `now` on."""
    made = OwnedSlot(0, epoch, Recorder(), "main")
    made.load("main", values.items(), now)
    return made


def written_again(slot: OwnedSlot, now: float) -> dict[bytes, bytes]:
    """What a checkpoint writes, the slot's own record left out."""
    return {write.key: write.value for write in slot.checkpoint(now).first if write.key != SLOT}


def test_checkpoint_recovered_values_are_written_again_in_their_order_over_a_minute() -> None:
    names = [b"%02d" % n for n in range(12)]
    slot = heir({name: seal(7 - n % 2, n, {"in": 3}, b"x") for n, name in enumerate(names)}, now=1000.0)
    written = [[*written_again(slot, 1000.0 + REWRITE_AFTER_S * n / 12)] for n in range(12)]
    assert written == [[name] for name in [*names[1::2], *names[::2]]], "those of the older claim first"
    assert [len(written_again(slot, 1000.0 + REWRITE_AFTER_S * (1 + n / 12))) for n in range(12)] == [1] * 12, "and each once a minute"
    assert [slot.stale(at + 2 * REWRITE_AFTER_S) for at in (999.0, 1000.0)] == [False, True]


def test_checkpoint_owners_that_live_shortly_write_all_again_between_them() -> None:
    values = {b"%02d" % n: seal(0, n, {"in": 3}, b"x") for n in range(12)}
    for owner in range(4):
        slot = heir(values, 0.0, epoch=1 + owner)
        for at in range(0, 21, 5):
            values |= written_again(slot, float(at))
    assert all(unseal(value).epoch > 0 for value in values.values())


def test_checkpoint_claim_is_written_again_once_a_minute() -> None:
    slot = fed(1)
    claims = [slot.checkpoint(1000.0 + REWRITE_AFTER_S * n / 2).claim for n in range(5)]
    assert claims == [True, False, True, False, True]
