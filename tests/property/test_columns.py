"""What is done in columns for a backtest is what is done one by one live."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ginkgo_streams.domain import events as e
from ginkgo_streams.domain.events import BUY, SELL, Order, Quotes
from ginkgo_streams.domain.exchange.exchange import MANY, Exchange, always
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.generic import generic
from ginkgo_streams.domain.market.limits import BOARDS, LIMITS, limit_class
from tests.unit.domain.market.shanghai import at, day, profile

CN = profile()
CODES = tuple(f"{n:06d}.{where}" for n, where in [*((n, "SZ") for n in range(1, 10)), *((300_000 + n, "SZ") for n in range(4)),
                                                 *((688_000 + n, "SH") for n in range(4)),
                                                 (301_001, "SZ"), (302_001, "SZ"), (689_009, "SH"), (600_000, "SH"),
                                                 *((830_000 + n, "BJ") for n in range(3)), (430_047, "BJ"), (920_799, "BJ")])  # fmt: skip
AROUND = sorted({day("2026-11-24")} | {change + n for dated in LIMITS.values() for change in dated.changes for n in (-1, 0, 1)})
"""The days around each change of a board's limits, and one of now."""


@given(
    st.lists(
        st.tuples(st.sampled_from(CODES), st.integers(-5, 3_000_000), st.sampled_from(AROUND)),
        min_size=1,
    )
)
def test_price_limits_when_reckoned_in_columns_then_those_of_one_by_one(given_: list[tuple[str, int, int]]) -> None:
    """Section 3, price limits: of many codes at once."""
    codes, prices, dates = zip(*given_, strict=True)
    for market in (CN, generic()):
        low, high = market.limit_columns(
            np.array([market.limit_class(code) for code in codes]),
            np.array(prices, np.int64),
            np.array(dates, np.int64),
        )
        expected = [market.price_limits(code, price, each) or (0, 0) for code, price, each in given_]
        assert list(zip(low.tolist(), high.tolist(), strict=True)) == expected


def test_price_limits_when_reckoned_in_columns_on_every_board_around_every_change_then_those_of_one_by_one() -> None:
    """Section 3, price limits: of many codes at once, each board on each day around a change, at prices where rounding turns.

    Exactly half of a tick is to be rounded of 98_500 at 10 % and 30 %, and of 98_625 at 20 %.
    """
    assert {limit_class(code) for code in CODES} == set(range(len(BOARDS)))
    assert len(AROUND) > 1
    prices = [1, 99, 100, 101, 400, 449, 450, 451, 98_500, 98_625, 98_700, 100_000, 104_950, 105_050, 2_999_900]
    cases = [(code, price, on) for code in CODES for price in prices for on in AROUND]
    classes, given_, days = (np.array(each, np.int64) for each in zip(*((CN.limit_class(c), p, d) for c, p, d in cases), strict=True))
    low, high = CN.limit_columns(classes, given_, days)
    assert list(zip(low.tolist(), high.tolist(), strict=True)) == [CN.price_limits(code, price, on) for code, price, on in cases]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_updates_of_many_codes_when_taken_in_columns_then_as_one_by_one(seed: int, with_close: bool) -> None:
    assert len(CODES) >= MANY
    rng = np.random.default_rng(seed)
    rules = ExchangeSettings(participation=0.3)
    fast, slow = Exchange(CN, rules), Exchange(CN, rules)
    price = rng.integers(50_000, 500_000, len(CODES)) // 100 * 100
    number = 0
    for date in ("2026-11-19", "2026-11-20", "2026-11-23"):
        prev = price.copy()
        for time in ("09:35:00", "10:00:00", "10:00:00", "14:59:00", "15:00:00"):
            ts = at(f"{date}T{time}")
            price = np.maximum(
                price * rng.choice([90, 97, 100, 103, 125], len(CODES), p=[0.05, 0.3, 0.3, 0.3, 0.05]) // 100 // 100 * 100, 100
            )
            data = np.zeros((len(e.FIELDS), len(CODES)), np.int64)
            data[e.TS] = ts - rng.choice([0, 1_000, 3_600_000], len(CODES), p=[0.8, 0.1, 0.1])
            data[e.SEQ], data[e.PRICE], data[e.VOLUME] = -1, price, rng.integers(0, 5_000, len(CODES))
            data[e.PREV_CLOSE] = prev if with_close else np.where(rng.random(len(CODES)) < 0.3, prev, 0)
            quotes = Quotes(CODES, data)
            assert fast.on_quotes(quotes, always) == slow.on_quotes(quotes, lambda key: True)
            for _ in range(6):
                number += 1
                code = int(rng.integers(0, len(CODES)))
                order = Order(
                    order_id=f"o{number}", portfolio_id="p", code=CODES[code], direction=int(rng.choice([BUY, SELL])), volume=1_000,
                    limit=int(price[code]) * int(rng.choice([98, 100, 101])) // 10_000 * 100, ts=ts, reason="",
                )  # fmt: skip
                assert fast.submit(order) == slow.submit(order)
        assert fast.on_clock(at(f"{date}T15:00:01"), always) == slow.on_clock(at(f"{date}T15:00:01"), lambda key: True)
    states: list[Any] = [{key: exchange.encode(key) for key in exchange.touched()} for exchange in (fast, slow)]
    assert states[0] == states[1]
    assert any(report.trade_id for report in fast.reports())
