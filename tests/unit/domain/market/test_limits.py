"""Price limits and the cage: by board, date and special treatment, and against eleven years of real closes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.market.profile import MAX_PRICE
from tests.unit.domain.market.shanghai import day, profile

DAILY = Path(__file__).parents[5] / "shared" / "data" / "000001.SZ.daily.csv"
CN = profile()
NOW = day("2026-11-24")


@pytest.mark.parametrize(
    ("code", "prev_close", "on", "st", "expected"),
    [
        ("000001.SZ", 98_700, NOW, False, (88_800, 108_600)),
        ("000001.SZ", 98_500, NOW, False, (88_700, 108_400)),  # 8.865 and 10.835
        ("600000.SH", 100_000, NOW, False, (90_000, 110_000)),
        ("300750.SZ", 100_000, NOW, False, (80_000, 120_000)),
        ("301001.SZ", 100_000, NOW, True, (80_000, 120_000)),
        ("300750.SZ", 100_000, day("2020-08-21"), False, (90_000, 110_000)),
        ("300750.SZ", 100_000, day("2020-08-24"), False, (80_000, 120_000)),
        ("688001.SH", 100_000, NOW, True, (80_000, 120_000)),
        ("920799.BJ", 100_000, NOW, False, (70_000, 130_000)),
        ("830799.BJ", 100_000, NOW, False, (70_000, 130_000)),
        ("430047.BJ", 100_000, NOW, False, (70_000, 130_000)),
        ("600001.SH", 100_000, day("2026-07-05"), True, (95_000, 105_000)),
        ("600001.SH", 100_000, day("2026-07-06"), True, (90_000, 110_000)),
        ("600001.SH", 400, NOW, False, (300, 500)),
    ],
)
def test_price_limits_when_board_and_date_given_then_the_rule_of_that_day(
    code: str, prev_close: int, on: int, st: bool, expected: tuple[int, int]
) -> None:
    """Section 3, price limits: by board, date and special treatment."""
    assert CN.price_limits(code, prev_close, on, st) == expected


def test_price_limits_when_prev_close_is_unknown_then_none() -> None:
    assert CN.price_limits("000001.SZ", 0, NOW) is None


@pytest.mark.parametrize(
    ("code", "listed", "last_free", "first_bound"),
    [
        ("600001.SH", "2026-09-28", "2026-10-09", "2026-10-12"),  # five trading days with the National Day between
        ("688001.SH", "2026-11-16", "2026-11-20", "2026-11-23"),
        ("920799.BJ", "2026-11-23", "2026-11-23", "2026-11-24"),
    ],
)
def test_price_limits_when_newly_listed_then_none_on_the_first_days(code: str, listed: str, last_free: str, first_bound: str) -> None:
    """Section 3, price limits: none in the first days of a listing."""
    assert CN.price_limits(code, 100_000, day(last_free), listed=day(listed)) is None
    assert CN.price_limits(code, 100_000, day(first_bound), listed=day(listed)) is not None


@pytest.mark.parametrize(
    ("code", "direction", "reference", "on", "bound"),
    [
        ("600000.SH", BUY, 100_000, None, 102_000),
        ("600000.SH", SELL, 100_000, None, 98_000),
        ("600000.SH", BUY, 20_000, None, 21_000),  # ten ticks are wider than 2 % of 2.00
        ("300750.SZ", SELL, 20_000, None, 19_000),
        ("688001.SH", BUY, 20_000, None, 20_400),
        ("920799.BJ", BUY, 100_000, None, 105_000),
        ("600000.SH", BUY, 100_000, day("2023-04-07"), MAX_PRICE),
        ("600000.SH", SELL, 100_000, day("2023-04-07"), 0),
        ("600000.SH", BUY, 0, None, MAX_PRICE),
    ],
)
def test_price_cage_when_reference_given_then_the_bound_of_the_board(
    code: str, direction: int, reference: int, on: int | None, bound: int
) -> None:
    """Section 3, price cage."""
    assert CN.price_cage(code, direction, reference, on) == bound


@pytest.mark.skipif(not DAILY.exists(), reason=f"the real bars are not at {DAILY}")
def test_price_limits_when_held_against_real_bars_then_no_price_is_outside() -> None:
    """Section 3, price limits: against real bars."""
    with DAILY.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2_651
    outside = []
    for row in rows:
        on = row["trade_date"]
        limits = CN.price_limits("000001.SZ", round(float(row["pre_close"]) * 10_000), day(f"{on[:4]}-{on[4:6]}-{on[6:]}"))
        assert limits is not None
        prices = [round(float(row[name]) * 10_000) for name in ("open", "high", "low", "close")]
        outside += [(on, price, limits) for price in prices if not limits[0] <= price <= limits[1]]
    assert outside == []
