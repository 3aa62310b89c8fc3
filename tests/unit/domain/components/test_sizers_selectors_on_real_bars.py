"""Sizers and selectors through the backtest on real daily bars: what is bought is what pandas says by price, lot, cash and ranking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.unit.backtest.samples import portfolio
from tests.unit.domain.bars_of_000001 import needs_bars
from tests.unit.domain.components.real_market import (
    CODE,
    FOURTH,
    OTHER,
    THIRD,
    books,
    buyable,
    limits,
    planned,
    stretch,
    traded,
    wished,
)

pytestmark = needs_bars

CASH = 3_000_000
"""So much that the fees decide over some lots."""


def moved(frame: pd.DataFrame, period: int) -> pd.Series:
    """The mean true range of so many days."""
    before = frame["close"].shift()
    highest, lowest = (pd.concat([frame[name], before], axis=1) for name in ("high", "low"))
    return (highest.max(axis=1, skipna=False) - lowest.min(axis=1, skipna=False)).rolling(period).mean()


Budget = Callable[[pd.Series], float]
"""Of a day's books (with "move", its average true range): what a buy may cost, or how many shares it may have."""


@pytest.mark.parametrize(
    ("sizer", "params", "budget", "shares"),
    [
        ("FixedVolumeSizer", {"volume": 150_000}, None, lambda day: 150_000),
        ("FixedAmountSizer", {"amount": 1_800_000}, lambda day: 1_800_000, None),
        ("RatioSizer", {"ratio": 0.3}, lambda day: day["total"] * 0.3, None),
        ("AllInSizer", {}, lambda day: day["cash"], None),
        ("ATRSizer", {"risk_ratio": 0.01, "period": 14}, lambda day: day["total"], lambda day: day["total"] * 0.01 / day["move"]),
    ],
    ids=["volume", "amount", "ratio", "all", "atr"],
)
def test_sizers_on_real_bars_then_buy_what_price_lot_and_cash_say(
    sizer: str, params: dict[str, Any], budget: Budget | None, shares: Budget | None
) -> None:
    market = {CODE: stretch("2022-01-04", 240)}
    dates, limit = market[CODE]["date"], limits(market[CODE]["close"]).to_list()
    said = dict.fromkeys(dates.iloc[0::5], f"buy {CODE}") | dict.fromkeys(dates.iloc[2::10], f"buy {CODE}")
    said |= dict.fromkeys(dates.iloc[8::10], f"sell {CODE}")
    result = traded(market, planned(said, sizer=sizer, sized=params), CASH)
    book = books(result, market, CASH).assign(move=moved(market[CODE], 14).to_numpy())
    expected = []
    for i, (date, good_for) in enumerate(zip(dates.iloc[:-1], dates.iloc[1:], strict=True)):
        day = book.loc[date]
        bounds = [buyable(day["cash"] - 0.01, limit[i], good_for)]  # the fees of many small fills may need the cent
        bounds += [buyable(budget(day), limit[i], good_for)] if budget else []
        bounds += [int(np.nan_to_num(shares(day))) // 100 * 100] if shares else []
        if min(bounds) and said.get(date) == f"buy {CODE}":
            expected.append((date, CODE, min(bounds)))
    assert wished(result) == expected
    assert len(expected) >= 24
    held = book[f"shares {CODE}"]
    assert wished(result, "SELL") == [(date, CODE, held[date]) for date in dates.iloc[8::10] if held[date]] != []


def universe(count: int) -> dict[str, pd.DataFrame]:
    """Four codes with the prices of four stretches."""
    return {code: stretch("2021-02-01", count, back=310 * i) for i, code in enumerate((CODE, OTHER, THIRD, FOURTH))}


def shown(selector: str, params: dict[str, Any], market: dict[str, pd.DataFrame]) -> dict[str, list[str]]:
    """By date the codes that a strategy that buys whatever it is shown has ordered, sorted."""
    config = portfolio("ShownStrategy", sized={"volume": 100}, selector={"name": selector, "params": params})
    found: dict[str, list[str]] = {}
    for date, code, _ in wished(traded(market, config)):
        found.setdefault(date, []).append(code)
    return {date: sorted(codes) for date, codes in found.items()}


def ranked(scores: dict[str, pd.Series], count: int) -> dict[str, list[str]]:
    """By date the codes with the highest scores of the day before, sorted; without days on which none has one."""
    table = pd.DataFrame(scores).shift(1).dropna()
    return {str(date): sorted(row[row.rank(ascending=False) <= count].index) for date, row in table.iterrows()}


@pytest.mark.parametrize(("lookback", "top_n"), [(20, 1), (5, 2)])
def test_momentum_selector_on_real_bars_then_chooses_what_pandas_ranks_first(lookback: int, top_n: int) -> None:
    market = universe(150)
    rises = {code: frame.set_index("date")["close"].pct_change(lookback) for code, frame in market.items()}
    expected = ranked(rises, top_n)
    assert shown("MomentumSelector", {"lookback": lookback, "top_n": top_n}, market) == expected
    assert len({tuple(codes) for codes in expected.values()}) > 3


@pytest.mark.parametrize(("lookback", "top_n"), [(1, 1), (4, 2)])
def test_turnover_selector_on_real_bars_then_chooses_what_pandas_ranks_first(lookback: int, top_n: int) -> None:
    market = universe(150)
    by_date = {code: frame.set_index("date") for code, frame in market.items()}
    expected = ranked({code: (f["close"] * f["volume"]).rolling(lookback).sum() for code, f in by_date.items()}, top_n)
    assert shown("TurnoverSelector", {"lookback": lookback, "top_n": top_n}, market) == expected
    by_amount = ranked({code: f["amount"].rolling(lookback).sum() for code, f in by_date.items()}, top_n)
    assert sum(by_amount[date] != expected[date] for date in expected) <= 1  # bars bring no amount: close times volume stands for it
    assert len({tuple(codes) for codes in expected.values()}) > 3


@pytest.mark.parametrize(("selector", "params", "codes"), [
    ("FixedSelector", {"codes": [FOURTH, OTHER]}, [OTHER, FOURTH]), ("AllSelector", {}, [CODE, OTHER, THIRD, FOURTH]),
])  # fmt: skip
def test_fixed_and_all_on_real_bars_then_every_day_the_same_codes(selector: str, params: dict[str, Any], codes: list[str]) -> None:
    market = universe(40)
    assert shown(selector, params, market) == dict.fromkeys(market[CODE]["date"], codes)
