"""Each risk manager through the backtest on real daily bars: what it cuts, blocks and sells is what pandas says of the same bars.

TradingTimeRisk looks at the time of day: daily bars end at the close, so that it has nothing to say there; it is run on bars within the
day at the real open, high, low and close. PriceLimitRisk likewise: an order from a close is good for the next day, with its own limits.
"""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd
import pytest

from ginkgo_streams.backtest.result import Result
from ginkgo_streams.domain.component import Proposal
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.risk.price_limit import PriceLimitParams, PriceLimitRisk
from tests.unit.domain.bars_of_000001 import needs_bars
from tests.unit.domain.components.real_market import (
    CODE,
    OTHER,
    Rule,
    acted,
    books,
    buyable,
    costs,
    limits,
    loop,
    missed,
    planned,
    stretch,
    traded,
    wished,
)

pytestmark = needs_bars


def every(frame: pd.DataFrame, said: str = f"buy {CODE}", step: int = 1) -> dict[str, str]:
    """The same at each close, or at each step-th."""
    return dict.fromkeys(frame["date"].iloc[::step], said)


def days(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The dates, and for each that on which an order from its close can fill."""
    dates = frame["date"].to_list()
    return dates, [*dates[1:], "9999-12-31"]


# ---- what forces a sell ----


def loss(limit: float) -> Rule:
    return lambda closes, paid: round((paid - closes.iloc[-1]) * 100 / paid, 9) >= limit


def gain(target: float) -> Rule:
    return lambda closes, paid: round((closes.iloc[-1] - paid) * 100 / paid, 9) >= target


def fallen_from_peak(target: float, percent: float) -> Rule:
    def rule(closes: pd.Series, paid: float) -> bool:
        behind = closes[(((closes - paid) * 100 / paid).round(9) >= target).cummax()]
        return not behind.empty and bool(round(closes.iloc[-1] * 100, 9) <= round(behind.max() * (100 - percent), 9))

    return rule


def old(days: int) -> Rule:
    return lambda closes, paid: closes.index[-1] - closes.index[0] >= days


@pytest.mark.parametrize(
    ("risk", "params", "first", "rule"),
    [
        ("LossLimitRisk", {"loss_limit": 5}, "2017-06-22", loss(5)),  # on 2018-02-07 it is 5 % exactly
        ("ProfitTargetRisk", {"profit_target": 4}, "2022-05-31", gain(4)),  # on 2022-09-15 it is 4 % exactly
        ("ProfitTargetRisk", {"profit_target": 4, "trailing_percent": 2}, "2022-05-31", fallen_from_peak(4, 2)),
        ("HoldingPeriodRisk", {"max_days": 7}, "2019-01-02", old(7)),
    ],
    ids=["loss", "profit", "trailing", "age"],
)
def test_forced_sells_on_real_bars_then_at_the_closes_of_a_plain_loop_and_no_others(
    risk: str, params: dict[str, Any], first: str, rule: Rule
) -> None:
    frame = stretch(first, 300)
    if risk == "HoldingPeriodRisk":  # days without a bar count
        frame = frame.drop(frame.index[[*range(20, 300, 9), *range(101, 300, 31)]])
    said, orders, fills = loop(frame, rule, patience=25)
    result = traded({CODE: frame}, planned(said, (risk, params)))
    assert [("FORCED" if o.reason.startswith(risk) else o.side, o.time[:10]) for o in result.orders] == orders
    assert [(t.side, t.time[:10], t.price) for t in result.trades] == fills
    assert acted(result, risk) == [date for what, date in orders if what == "FORCED"]
    assert len(acted(result, risk)) > 5


def test_profit_target_of_a_part_on_real_bars_then_sells_it_once_at_the_first_close_at_the_target() -> None:
    frame = stretch("2020-09-01", 100)
    risk = ("ProfitTargetRisk", {"profit_target": 20, "partial_ratio": 0.4})
    result = traded({CODE: frame}, planned(every(frame, step=1000), risk, sized={"volume": 1_000}))
    paid = min(limits(frame["close"]).iloc[0], frame["open"].iloc[1])
    reached = frame[frame["close"] >= paid * 1.2]
    assert len(reached) > 20
    assert wished(result, "SELL") == [(reached["date"].iloc[0], CODE, 400)]
    assert [position.volume for position in result.positions] == [600]


# ---- what blocks or cuts an order ----


def test_volatility_on_real_bars_then_blocks_the_buys_that_pandas_does() -> None:
    frame = stretch("2015-09-01", 250)
    most = 30
    yearly = frame["close"].pct_change().rolling(20).std() * 252**0.5 * 100
    result = traded({CODE: frame}, planned(every(frame), ("VolatilityRisk", {"window": 20, "max_volatility": most})))
    assert [date for date, *_ in wished(result)] == frame["date"][yearly <= most].to_list()
    assert acted(result, "VolatilityRisk") == frame["date"][~(yearly <= most)].to_list()
    assert 50 < (yearly <= most).sum() < 200


def test_correlation_on_real_bars_then_blocks_the_buys_that_pandas_does() -> None:
    market = {CODE: stretch("2019-01-02", 250), OTHER: stretch("2019-01-02", 250, back=400)}
    frame, most = market[CODE], 0.1
    said = every(frame) | {frame["date"].iloc[0]: f"buy {OTHER}"}
    found = frame["close"].pct_change().rolling(20).corr(market[OTHER]["close"].pct_change())
    passes = (found <= most).iloc[1:]
    result = traded(market, planned(said, ("CorrelationRisk", {"window": 20, "max_correlation": most})))
    assert result.trades[0].code == OTHER
    assert [date for date, *_ in wished(result)[1:]] == frame["date"].iloc[1:][passes].to_list()
    assert acted(result, "CorrelationRisk") == frame["date"].iloc[1:][~passes].to_list()
    assert 50 < passes.sum() < 200


def test_liquidity_on_real_bars_then_cuts_buys_and_sells_to_the_share_that_pandas_says() -> None:
    frame = stretch("2020-06-01", 150)
    said = every(frame) | every(frame.iloc[120:], f"sell {CODE}")
    share, cash = 0.006, 1e10
    config = planned(said, ("LiquidityRisk", {"max_share": share, "window": 5}), sized={"volume": 1_000_000})
    result = traded({CODE: frame}, config, cash)
    usual = frame["volume"].rolling(5, min_periods=1).mean()
    room = (usual * share // 100 * 100).astype(int).clip(upper=1_000_000)
    assert [(o.time[:10], o.volume) for o in result.orders] == list(zip(frame["date"], room, strict=True))
    assert [o.side for o in result.orders] == ["BUY"] * 120 + ["SELL"] * 30
    assert 50 < (room < 1_000_000).sum() < 140


def test_max_drawdown_on_real_bars_then_its_steps_are_those_of_the_drawdown_of_the_books() -> None:
    market = {CODE: stretch("2020-10-09", 300)}
    frame = market[CODE]
    params = {"warning_drawdown": 2, "max_drawdown": 4, "critical_drawdown": 9.3}
    result = traded(market, planned(every(frame), ("MaxDrawdownRisk", params), sized={"volume": 500}))
    book = books(result, market)
    fallen = (1 - book["total"] / book["total"].cummax().clip(lower=1_000_000)) * 100
    bought = pd.cut(fallen, [-1, 2, 4, 100], right=False, labels=["500", "200", "0"]).astype(int)
    expected = [(date, CODE, bought[date]) for date in frame["date"] if bought[date]]
    assert wished(result) == expected
    assert {volume for *_, volume in expected} == {500, 200}
    held = book[f"shares {CODE}"]
    assert wished(result, "SELL") == [(date, CODE, held[date]) for date in held[(fallen >= 9.3) & (held > 0)].index] != []
    assert held.iloc[-1] == 0
    assert fallen.iloc[-1] >= 4  # so that nothing was bought again


def test_capital_on_real_bars_then_each_buy_is_the_most_that_leaves_the_cash() -> None:
    market = {CODE: stretch("2022-02-07", 200)}
    frame = market[CODE]
    said = every(frame) | every(frame.iloc[19:], f"sell {CODE}", step=20)
    result = traded(market, planned(said, ("CapitalRisk", {"min_cash": 65_000}), sized={"volume": 700}), cash=100_000)
    book = books(result, market, 100_000)
    expected, held = [], 0.0
    for date, good_for, limit, no_fill in zip(*days(frame), limits(frame["close"]), missed(frame), strict=True):
        volume = min(buyable(book["cash"][date] - (held if no_fill else 0) - 65_000, limit, good_for), 700)
        volume = volume if said[date].startswith("buy") else 0
        held = costs(limit, good_for)[volume // 100]
        if volume:
            expected.append((date, CODE, volume))
    assert wished(result) == expected
    assert {volume for *_, volume in expected} > {700, 100}
    assert book["cash"].min() >= 65_000
    assert result.refusals["risk:CapitalRisk"] > 20


@pytest.mark.parametrize(("one", "together", "binding"), [(0.3, 0.5, {"one", "all"}), (0.3, 0.9, {"one"}), (0.8, 0.4, {"all"})])
def test_position_ratio_on_real_bars_then_each_buy_is_the_most_within_both_ratios(one: float, together: float, binding: set[str]) -> None:
    market = {CODE: stretch("2015-02-02", 200), OTHER: stretch("2015-02-02", 200, back=-1200)}
    dates = market[CODE]["date"]
    said = every(market[CODE], f"buy {CODE}, buy {OTHER}")
    # now and then both are sold; bars 24 and 102 of one and 119 of the other then miss the buy behind the sale, which still has its cash
    said |= dict.fromkeys(dates.iloc[22::13], f"sell {CODE}, buy {OTHER}") | dict.fromkeys(dates.iloc[13::13], f"buy {CODE}, sell {OTHER}")
    risk = ("PositionRatioRisk", {"max_position_ratio": one, "max_total_position_ratio": together})
    result = traded(market, planned(said, risk, sized={"volume": 20_000}))
    book = books(result, market)
    limit = {code: limits(frame["close"]).set_axis(dates) for code, frame in market.items()}
    no_fill = {code: missed(frame).set_axis(dates) for code, frame in market.items()}
    expected, tight, held = [], {"one": 0, "all": 0}, dict.fromkeys(market, 0.0)
    for date in dates:
        total = book["total"][date]
        committed = {code: book[code][date] + (held[code] if no_fill[code][date] else 0) for code in market}
        held = dict.fromkeys(market, 0.0)
        for code in (each.split()[1] for each in said[date].split(", ") if each.startswith("buy")):
            left = {"one": one * total - committed[code], "all": together * total - sum(committed.values())}
            volume = min(max(int(min(left.values()) / limit[code][date]) // 100 * 100, 0), 20_000)
            tight[min(left, key=lambda name: left[name])] += volume < 20_000
            if volume:
                expected.append((date, code, volume))
                held[code] = costs(limit[code][date], date)[volume // 100]
                committed[code] += held[code]
                assert committed[code] / total < one + 0.0005  # the fees come on top
                assert sum(committed.values()) / total < together + 0.0005
    assert wished(result) == expected
    assert {name for name, count in tight.items() if count > 20} == binding
    assert {volume for *_, volume in expected} > {20_000, 100}


# ---- what looks at the time of day, or at the day itself ----


def within_the_day(frame: pd.DataFrame, **prices: str) -> pd.DataFrame:
    """Bars that stand still: "t0933" to the column whose price they have."""
    parts = []
    for at, column in prices.items():
        price = frame[column]
        flat = {"open": price, "high": price, "low": price, "close": price, "volume": frame["volume"] // len(prices)}
        parts.append(frame[["pre_close"]].assign(datetime=frame["date"] + f" {at[1:3]}:{at[3:]}:00", **flat))
    return pd.concat(parts).sort_values("datetime", ignore_index=True)


def clock(result: Result, side: str = "BUY") -> list[str]:
    """The times of the orders of one side in Shanghai."""
    return [str(pd.Timestamp(o.time).tz_convert("Asia/Shanghai"))[:16] for o in result.orders if o.side == side]


def test_trading_time_on_real_bars_then_blocks_near_open_and_close_alone() -> None:
    frame = stretch("2019-07-01", 20)
    said, params = every(frame), {"minutes_after_open": 15, "minutes_before_close": 10}
    short = within_the_day(
        frame, t0935="open", t0944="open", t0945="open", t1100="high", t1400="low", t1450="close", t1451="close", t1500="close"
    )
    result = traded({CODE: short}, planned(said, ("TradingTimeRisk", params)))
    assert clock(result) == [f"{date} {at}" for date in frame["date"] for at in ("09:45", "11:00", "14:00", "14:50", "15:00")]
    assert acted(result, "TradingTimeRisk") == [date for date in frame["date"] for _ in range(3)]


def test_trading_time_on_real_daily_bars_then_blocks_nothing() -> None:
    frame = stretch("2019-07-01", 20)
    result = traded({CODE: frame}, planned(every(frame), ("TradingTimeRisk", {"minutes_after_open": 330, "minutes_before_close": 330})))
    assert [date for date, *_ in wished(result)] == frame["date"].to_list()


def test_suspension_on_real_bars_then_blocks_both_sides_while_bars_are_missing_or_empty() -> None:
    frame, other = stretch("2019-03-01", 60), stretch("2019-03-01", 60, back=300)
    empty, missing = frame.index[10:13], frame.index[30:33]
    for price in ("open", "high", "low", "close"):
        frame.loc[empty, price] = frame["pre_close"][empty[0]]
    frame.loc[empty, "pre_close"] = frame["pre_close"][empty[0]]
    frame.loc[empty, "volume"] = 0
    said = every(frame) | dict.fromkeys(frame["date"].iloc[[11, 31, 40]], f"sell {CODE}")
    result = traded({CODE: frame.drop(missing), OTHER: other}, planned(said, ("SuspensionRisk", {})))
    suspended = frame["date"][[*empty, *missing]].to_list()
    assert acted(result, "SuspensionRisk") == suspended
    assert ["has no price today" in event.message for event in result.risk_events] == [False] * 3 + [True] * 3
    assert [o.time[:10] for o in result.orders] == [date for date in frame["date"] if date not in suspended]
    assert [date for date, *_ in wished(result, "SELL")] == [frame["date"].iloc[40]]


def at_limits(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The limits of the days in cents, down and up: 10 % of the previous close, rounded half up."""
    cents = (frame["pre_close"] * 100).round().astype(int)
    return (cents * 90 + 50) // 100, (cents * 110 + 50) // 100


@pytest.mark.parametrize(("direction", "expected"), [
    (BUY, ["2015-04-10", "2020-07-06", "2022-11-29", "2024-02-21"]), (SELL, ["2015-01-19", "2015-07-08", "2015-08-24", "2020-02-03"]),
])  # fmt: skip
def test_price_limit_on_all_real_bars_then_blocks_the_days_that_closed_at_the_limit(direction: int, expected: list[str]) -> None:
    frame, risk = stretch("2015-01-05", 2651), PriceLimitRisk(PriceLimitParams())
    cents = (frame["close"] * 100).round().astype(int)
    blocked = []
    for date, price, low, high in zip(frame["date"], cents, *at_limits(frame), strict=True):
        order = Proposal(CODE, direction, 100, price * 100, price * 100, low * 100, high * 100, 1, False, lambda budget, most: most)
        if risk.check(order, None, {}).volume == 0:  # type: ignore[arg-type]
            blocked.append(date)
    assert blocked == expected


@pytest.mark.parametrize("side", ["up", "down"])
def test_price_limit_on_real_bars_at_a_limit_then_no_order_that_day_and_one_on_the_days_beside_it(side: Literal["up", "down"]) -> None:
    """At limit up the kernel opens nothing whatever the chain says; at limit down the sell gets as far as the risk manager."""
    whole = stretch("2015-01-05", 2651)
    down, up = at_limits(whole)
    cents = (whole["close"] * 100).round().astype(int)
    days = whole.index[cents == (up if side == "up" else down)]
    assert len(days) == 4
    for day in days:
        frame = whole.loc[day - 1 : day + 1]
        before, limit, behind = frame["date"]
        said = dict.fromkeys(frame["date"], f"buy {CODE}") if side == "up" else {
            before: f"buy {CODE}", limit: f"sell {CODE}", behind: f"sell {CODE}"
        }  # fmt: skip
        result = traded({CODE: within_the_day(frame, t1440="close", t1450="close")}, planned(said, ("PriceLimitRisk", {})))
        if side == "up":
            assert clock(result) == [f"{date} {at}" for date in (before, behind) for at in ("14:40", "14:50")]
            assert result.refusals == {"limit_move": 2}
        else:
            assert clock(result, "SELL") == [f"{behind} 14:40"]
            assert acted(result, "PriceLimitRisk") == [limit, limit]
            assert result.refusals == {"risk:PriceLimitRisk": 2, "no_position": 1}
