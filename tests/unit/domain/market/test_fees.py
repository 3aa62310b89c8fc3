"""Fees: the worked cases, the dated rates, and the minimum of an order that fills in parts."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.market.cn import cn
from ginkgo_streams.domain.market.profile import Fees
from tests.unit.domain.market.shanghai import calendar, day, profile

CN = profile()
NOW = day("2026-11-24")
CODE = "000001.SZ"


def test_fees_when_1000_bought_at_10_50_then_they_cost_10505_105() -> None:
    """Section 3, worked cases: a buy."""
    amount = 1_000 * 105_000
    assert amount + CN.fees(BUY, amount, NOW, CODE).total == 105_051_050


def test_fees_when_1000_sold_at_11_00_then_they_net_10989_39() -> None:
    """Section 3, worked cases: a sale."""
    amount = 1_000 * 110_000
    assert CN.fees(SELL, amount, NOW, CODE) == Fees(50_000, 55_000, 1_100)
    assert amount - CN.fees(SELL, amount, NOW, CODE).total == 109_893_900


@pytest.mark.parametrize(("on", "duty"), [("2023-08-27", 1_000_000), ("2023-08-28", 500_000)])
def test_stamp_duty_when_halved_on_2023_08_28_then_the_rate_of_the_day_for_sells_only(on: str, duty: int) -> None:
    """Section 3, stamp duty."""
    amount = 1_000_000_000
    assert CN.fees(SELL, amount, day(on), CODE).stamp_duty == duty
    assert CN.fees(BUY, amount, day(on), CODE).stamp_duty == 0


@pytest.mark.parametrize(
    ("on", "code", "fee"),
    [("2022-04-28", CODE, 20_000), ("2022-04-28", "830799.BJ", 25_000), ("2022-04-29", CODE, 10_000), ("2022-04-29", "830799.BJ", 10_000)],
)
def test_transfer_fee_when_halved_on_2022_04_29_then_the_rate_of_the_day_on_both_sides(on: str, code: str, fee: int) -> None:
    """Section 3, transfer fee."""
    assert CN.fees(BUY, 1_000_000_000, day(on), code).transfer_fee == fee
    assert CN.fees(SELL, 1_000_000_000, day(on), code).transfer_fee == fee


def test_commission_when_an_order_fills_in_parts_then_the_minimum_counts_once() -> None:
    """Section 3, commission: at least 5 CNY an order, not a fill."""
    first = CN.fees(BUY, 10_500_000, NOW, CODE)
    second = CN.fees(BUY, 10_500_000, NOW, CODE, first.commission, 10_500_000)
    third = CN.fees(BUY, 200_000_000, NOW, CODE, 50_000, 21_000_000)
    assert (first.commission, second.commission, third.commission) == (50_000, 0, 66_300 - 50_000)


def test_rounding_when_half_of_a_unit_then_up() -> None:
    assert CN.fees(SELL, 1_000, NOW, CODE).stamp_duty == 1
    assert CN.fees(SELL, 999, NOW, CODE).stamp_duty == 0


@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=20), st.integers(0, 3_000), st.integers(0, 100_000))
def test_commission_when_any_fills_then_their_sum_is_that_of_the_whole(amounts: list[int], rate: int, minimum: int) -> None:
    """Section 3, commission: rate and minimum as configured."""
    market = cn(calendar(), rate, minimum)
    paid = done = 0
    for amount in amounts:
        commission = market.fees(BUY, amount, NOW, CODE, paid, done).commission
        assert commission >= 0
        paid, done = paid + commission, done + amount
    assert paid == market.fees(BUY, sum(amounts), NOW, CODE).commission


@pytest.mark.parametrize("rate", [Fraction(3, 2), -1, 0.0003])
def test_rate_when_out_of_range_or_inexact_then_refused_by_value(rate: Fraction) -> None:
    with pytest.raises(ValueError, match="rate of"):
        cn(calendar(), rate)


def test_minimum_when_negative_then_refused() -> None:
    with pytest.raises(ValueError, match="-1 units"):
        cn(calendar(), minimum_commission=-1)
