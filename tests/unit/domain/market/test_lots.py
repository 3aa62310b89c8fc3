"""Lots: the row "lot" of the market's rules, by board."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.market.lots import MAX_VOLUME, lot_down, valid_volume

MAIN, STAR, BSE, CHINEXT = "600000.SH", "688001.SH", "830799.BJ", "300750.SZ"


@pytest.mark.parametrize(
    ("code", "direction", "volume", "held", "expected"),
    [
        (MAIN, BUY, 1_099, 0, 1_000),
        (MAIN, BUY, 99, 0, 0),
        (CHINEXT, BUY, 250, 0, 200),
        (MAIN, BUY, 5_000_000, 0, 1_000_000),
        (STAR, BUY, 199, 0, 0),
        (STAR, BUY, 201, 0, 201),
        (BSE, BUY, 99, 0, 0),
        (BSE, BUY, 101, 0, 101),
        (MAIN, SELL, 150, 150, 150),
        (MAIN, SELL, 149, 150, 100),
        (MAIN, SELL, 60, 150, 50),
        (MAIN, SELL, 40, 150, 0),
        (MAIN, SELL, 500, 150, 150),
        (MAIN, SELL, 2_000_000, 1_500_050, 1_000_000),
        (STAR, SELL, 150, 150, 150),
        (STAR, SELL, 150, 300, 0),
        (BSE, SELL, 50, 50, 50),
        (BSE, SELL, 50, 51, 0),
        (MAIN, SELL, 100, 0, 0),
        (MAIN, BUY, -5, 0, 0),
    ],
)
def test_lot_down_when_volume_is_odd_then_the_largest_one_the_board_takes(
    code: str, direction: int, volume: int, held: int, expected: int
) -> None:
    """Section 3, lot: what an order is rounded down to, odd lots of a sale included."""
    assert lot_down(code, direction, volume, held) == expected


@pytest.mark.parametrize(
    ("code", "direction", "volume", "held", "words"),
    [
        (MAIN, BUY, 0, None, "not positive"),
        (MAIN, BUY, 150, None, "multiple of 100"),
        (MAIN, BUY, 1_000_100, None, "more than 1000000"),
        (STAR, BUY, 199, None, "under 200"),
        (BSE, BUY, 99, None, "under 100"),
        (MAIN, SELL, 30, 150, "remainder of 150"),
        (STAR, SELL, 150, 300, "under 200"),
    ],
)
def test_valid_volume_when_the_board_refuses_it_then_says_why(code: str, direction: int, volume: int, held: int | None, words: str) -> None:
    """Section 3, lot: what the exchange refuses."""
    reason = valid_volume(code, direction, volume, held)
    assert reason is not None
    assert words in reason


@pytest.mark.parametrize(
    ("code", "direction", "volume", "held"),
    [(MAIN, BUY, 1_000_000, None), (STAR, BUY, 201, None), (BSE, BUY, 101, None), (MAIN, SELL, 50, 150), (MAIN, SELL, 37, None)],
)
def test_valid_volume_when_the_board_takes_it_then_none(code: str, direction: int, volume: int, held: int | None) -> None:
    """Section 3, lot: what it takes."""
    assert valid_volume(code, direction, volume, held) is None


@given(
    st.sampled_from([MAIN, STAR, BSE, CHINEXT]),
    st.sampled_from([BUY, SELL]),
    st.integers(0, 2 * MAX_VOLUME),
    st.integers(0, 2 * MAX_VOLUME),
)
def test_lot_down_when_any_volume_then_a_valid_one_and_none_between(code: str, direction: int, volume: int, held: int) -> None:
    lot = lot_down(code, direction, volume, held)
    bound = min(volume, held) if direction == SELL else volume
    assert 0 <= lot <= bound
    assert lot == 0 or valid_volume(code, direction, lot, held) is None
    assert all(valid_volume(code, direction, higher, held) is not None for higher in range(lot + 1, min(bound, lot + 300) + 1))
