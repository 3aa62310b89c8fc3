"""A short run of the harness in the suite, and what the harness itself promises."""

from __future__ import annotations

import os
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import msgspec
import pytest

from .disk import Disk
from .result import BEGIN, END, WHAT, Result, to_json, write_into
from .run import Run
from .schedule import KINDS, WORKERS, rounds

SEED = int(os.environ.get("SEED") or 3)
DISTURBANCES = 16
RESULT = Result(
    seed=7, disturbances=1_200, kinds={"kill": 700, "clock": 500}, rounds=2, seconds=600.0, portfolios=3, orders=10, fills=9, fenced=1,
    duplicates=2, differences=0, ends={"0": 3, "-9": 700}, recoveries_s=[1.0, 12.5], disk="tmpfs", cores=2, date="2026-11-25",
)  # fmt: skip


def test_chaos_after_every_round_portfolios_trade_and_the_books_agree(tmp_path: Path) -> None:
    """Fails with the seed that gives it again. `make chaos` is the long run."""
    result = Run(tmp_path, SEED, DISTURBANCES, print).go()
    assert result.differences == 0
    assert result.disturbances == DISTURBANCES
    assert result.orders > 0
    assert result.fills > 0
    assert len(result.recoveries_s) == result.rounds


def test_rounds_of_one_seed_are_the_same_and_of_another_are_not() -> None:
    assert list(rounds(5, 100)) == list(rounds(5, 100))
    assert list(rounds(5, 100)) != list(rounds(6, 100))
    assert sum(map(len, rounds(5, 100))) == 100


def test_rounds_every_kind_of_disturbance_comes_and_what_they_need_does_not_meet() -> None:
    counts: Counter[str] = Counter()
    for disturbing in islice(rounds(1, 100_000), 500):
        counts.update(each.kind for each in disturbing)
        for name in WORKERS:
            by_proxy = [each for each in disturbing if each.target == name and each.kind in ("cut", "hole", "delay")]
            assert all(one.ends_s <= two.at_s for one, two in pairwise(by_proxy)), disturbing
    assert set(counts) == set(KINDS) == set(WHAT)
    assert min(counts.values()) > 30


def test_result_is_written_into_the_document_between_its_marks_each_time_anew(tmp_path: Path) -> None:
    document = tmp_path / "reliability.md"
    document.write_text(f"# Before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        write_into(document, RESULT)
    text = document.read_text()
    assert text.startswith(f"# Before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert text.count("`SEED=7 make chaos KILLS=1200`") == 1
    assert "12.5 s" in text
    assert msgspec.json.decode(to_json(RESULT), type=Result) == RESULT
    document.write_text("no marks")
    with pytest.raises(ValueError, match="has no lines"):
        write_into(document, RESULT)


def test_disk_when_filled_takes_nothing_and_when_emptied_takes_all(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "disk")
    try:
        if not disk.mounted:
            pytest.skip("not root: there a limit on the size of files takes the disk's place")
        disk.fill(os.getpid())
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "more").write_bytes(bytes(1 << 16))
        disk.empty()
        (disk.folder / "more").write_bytes(bytes(1 << 16))
    finally:
        disk.close()
