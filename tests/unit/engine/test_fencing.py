"""What of a changelog and of an output topic counts, whoever else wrote into it."""

from __future__ import annotations

from ginkgo_streams.engine.envelope import CLAIM, seal, unseal
from ginkgo_streams.engine.fence import Fences
from ginkgo_streams.engine.table import accept


class Disk:
    """A local copy with these values."""

    def __init__(self, values: dict[bytes, bytes] | None = None) -> None:
        self.values = values or {}

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)


def claim(epoch: int) -> tuple[bytes, bytes]:
    return CLAIM, seal(epoch, 0, {}, b"claim")


def value(key: bytes, epoch: int, seq: int) -> tuple[bytes, bytes]:
    return key, seal(epoch, seq, {"in": seq}, f"{epoch}.{seq}".encode())


def payloads(records: list[tuple[bytes, bytes]], disk: Disk | None = None) -> dict[bytes, bytes]:
    puts, _, _ = accept(disk or Disk(), records)  # type: ignore[arg-type]
    return {key: unseal(v).payload for key, v in puts.items() if key != CLAIM}


def test_accept_late_record_of_a_fenced_owner_behind_the_claim_is_refused() -> None:
    assert payloads([claim(1), value(b"a", 1, 5), claim(2), value(b"a", 1, 6)]) == {b"a": b"1.5"}


def test_accept_claim_that_comes_late_does_not_fence_the_rightful_owner() -> None:
    # The owner of epoch 1 was stopped between its assignment and its claim, and wakes up when epoch 2 is at work.
    assert payloads([claim(2), value(b"a", 2, 1), claim(1), value(b"a", 2, 2), value(b"a", 1, 9)]) == {b"a": b"2.2"}


def test_accept_records_out_of_order_count_by_epoch_and_sequence() -> None:
    assert payloads([value(b"a", 1, 2), value(b"a", 1, 1), value(b"a", 2, 1), value(b"a", 1, 3)]) == {b"a": b"2.1"}


def test_accept_on_top_of_a_local_copy_the_copy_s_claim_and_values_count() -> None:
    disk = Disk(dict([claim(3), value(b"a", 3, 7)]))
    assert payloads([value(b"a", 2, 9), value(b"a", 3, 6), value(b"b", 2, 1)], disk) == {}
    assert payloads([value(b"a", 3, 8)], disk) == {b"a": b"3.8"}


def test_accept_counts_what_it_refuses() -> None:
    _, _, refused = accept(Disk(), [claim(2), value(b"a", 1, 1), value(b"b", 1, 2)])  # type: ignore[arg-type]
    assert refused == 2


def test_accept_deleted_key_is_gone_and_may_come_again() -> None:
    puts, deletes, _ = accept(Disk(), [value(b"a", 1, 1), (b"a", None), value(b"b", 1, 2), (b"b", None), value(b"b", 1, 3)])  # type: ignore[arg-type]
    assert set(puts) == {b"b"}
    assert deletes == {b"a"}


def test_fences_message_below_the_claim_of_its_source_is_refused_and_others_pass() -> None:
    fences = Fences()
    assert fences.admits("t", 1, 0)
    assert fences.claim("t", 1, 5)
    assert not fences.admits("t", 1, 4)
    assert fences.admits("t", 1, 5)
    assert fences.admits("t", 2, 0)
    assert fences.admits("other", 1, 0)


def test_fences_repeated_and_late_claims_are_no_news() -> None:
    fences = Fences()
    assert fences.claim("t", 1, 5)
    assert not fences.claim("t", 1, 5)
    assert not fences.claim("t", 1, 4)
    assert not fences.admits("t", 1, 4)
