"""Each risk manager on cases computed by hand, and the chain of several."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.config import validate_config
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.risk.max_drawdown import MaxDrawdownParams
from ginkgo_streams.domain.risk.suspension import SuspensionParams, SuspensionRisk
from tests.unit.domain.portfolio.desk import CODE, ID, OTHER, PROFILE, Desk, TestStrategy, config, held, quote, ts

DAY = 86_400_000


def blocked(desk: Desk) -> list[str]:
    """What the risk managers did at the last event, in their words."""
    return [alert.message for alert in desk.changes.alerts if alert.alert_type == "risk_triggered"]


def daily(desk: Desk, closes: dict[str, list[float]], volumes: list[int] | None = None, direction: int = 0) -> Changes:
    """Daily bars that end on Friday 2026-11-20, all codes of a day in one event; with the last one the strategy gives a signal of CODE."""
    first = next(iter(closes.values()))
    for i in range(len(first)):
        rows = []
        for code, prices in closes.items():
            volume = volumes[i] if volumes else 1000
            time = f"2026-11-{21 - len(first) + i}T15:00:00"
            rows.append(quote(time, prices[i], code, interval=DAY, volume=volume, prev_close=prices[max(i - 1, 0)]))
        if i == len(first) - 1 and direction:
            TestStrategy.planned = [(CODE, direction)]
        changes = desk.quotes(rows)
    return changes


def started(risks: list[tuple[str, Any]], **given: Any) -> Desk:
    """A portfolio that runs and has seen nothing."""
    desk = Desk(config(risks=risks, **given), opened=False)
    desk.create(ID)
    desk.command("portfolio.start", time="2026-11-01T09:00:00")
    return desk


def test_max_drawdown_by_hand() -> None:
    params = {"warning_drawdown": 4, "max_drawdown": 6, "critical_drawdown": 7.5}
    desk = held(4000, cash=50_000, config=config(risks=[("MaxDrawdownRisk", params)], sizer_params={"volume": 4000}))
    # the peak is 50,000; of these 4,000 were bought at 10.00 for 40,000 + 12 + 0.40. At 9.40 it is 2,412.40 or 4.82 % less
    assert desk.quote("10:00:00", 9.4).orders == []
    desk.signal("10:00:03", 10.0, BUY, OTHER)
    assert blocked(desk) == [f"MaxDrawdownRisk cut 4000 to 2000 {OTHER}: the value is 4.82 % below its peak: buys are halved"]
    # at 9.20: 3,212.40 or 6.42 %
    desk.quote("10:02:00", 9.2)
    assert desk.signal("10:02:03", 10.0, BUY, OTHER).orders == []
    assert blocked(desk) == [f"MaxDrawdownRisk blocked 4000 {OTHER}: the value is 6.42 % below its peak: no buys from 6 % on"]
    assert desk.view().drops["risk:MaxDrawdownRisk"] == 1
    # at 9.05: 3,812.40 or 7.62 %; the code that is sold has no update in the event that shows it, and need not have
    (order,) = desk.quote("10:04:00", 9.05).orders
    assert (order.direction, order.volume, order.reason) == (
        SELL, 4000, "MaxDrawdownRisk: 7.62 % below the peak: all is sold from 7.5 % on",
    )  # fmt: skip


def test_max_drawdown_when_taken_over_then_keeps_its_peak_and_forgets_it_at_a_new_start() -> None:
    params = {"warning_drawdown": 4, "max_drawdown": 4, "critical_drawdown": 90}
    desk = held(4000, cash=50_000, config=config(risks=[("MaxDrawdownRisk", params)], sizer_params={"volume": 4000}))
    desk.quote("10:00:00", 9.4)
    desk.kernel.load_portfolio(ID, desk.kernel.encode_portfolio(ID))
    assert desk.signal("10:00:03", 10.0, BUY, OTHER).orders == []
    desk.command("portfolio.stop", time="10:01:00")
    desk.command("portfolio.start", time="10:02:00")
    assert len(desk.signal("10:03:00", 10.0, BUY, OTHER).orders) == 1


def test_max_drawdown_when_its_steps_do_not_rise_then_is_refused() -> None:
    with pytest.raises(ValueError, match="have to rise"):
        MaxDrawdownParams(warning_drawdown=10, max_drawdown=9)


@pytest.mark.parametrize(
    ("time", "passes"),
    [("09:25:00", False), ("09:34:59", False), ("09:35:00", True), ("14:50:00", True), ("14:50:01", False), ("15:00:00", True)],
)
def test_trading_time_by_hand(time: str, passes: bool) -> None:
    desk = Desk(config(risks=[("TradingTimeRisk", {"minutes_after_open": 5, "minutes_before_close": 10})]))
    orders = desk.signal(f"2026-11-24T{time}", 10.0, BUY).orders  # the one of 15:00:00.000 is good for the next day
    assert len(orders) == passes
    assert desk.view().drops.get("risk:TradingTimeRisk", 0) == 1 - passes


def test_trading_time_when_a_risk_manager_sells_then_passes() -> None:
    desk = held(config=config(risks=[("TradingTimeRisk", {"minutes_before_close": 60}), ("LossLimitRisk", {"loss_limit": 5})]))
    assert len(desk.quote("14:30:00", 9.4).orders) == 1
    assert desk.signal("14:35:00", 10.0, BUY, OTHER).orders == []


def test_capital_by_hand() -> None:
    # 5,000 of 100,000 may be spent: 400 shares at the limit of 10.10 cost 4,040 + 5 + 0.04; 500 would be 5,050 and more
    desk = Desk(config(risks=[("CapitalRisk", {"min_cash": 95_000})]))
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    assert order.volume == 400
    assert desk.signal("10:02:00", 10.0, BUY, OTHER).orders == []  # 955 and 100 shares are 1,010
    assert desk.view().drops == {"risk:CapitalRisk": 1}
    desk = held(config=config(risks=[("CapitalRisk", {"min_cash": 89_000})]))  # 89,994.90 are left: no more buys, but sells
    assert desk.signal("10:00:00", 10.0, BUY, OTHER).orders == []
    assert len(desk.signal("10:00:03", 10.0, SELL).orders) == 1


@pytest.mark.parametrize(("share", "volume"), [(0.05, 1000), (0.04, 800), (0.0049, 0)])
def test_liquidity_by_hand(share: float, volume: int) -> None:
    # 10,000, 20,000 and 30,000 traded in the last three days: 20,000 a day
    desk = started([("LiquidityRisk", {"max_share": share, "window": 3})])
    orders = daily(desk, {CODE: [10.0] * 4}, [990_000, 10_000, 20_000, 30_000], BUY).orders
    assert [order.volume for order in orders] == ([volume] if volume else [])


def test_liquidity_when_fewer_days_are_known_then_takes_these_and_none_blocks() -> None:
    desk = started([("LiquidityRisk", {"max_share": 0.05, "window": 5})])
    assert [order.volume for order in daily(desk, {CODE: [10.0] * 2}, [10_000, 6_000], BUY).orders] == [400]
    desk = Desk(config(risks=[("LiquidityRisk", {})]))
    assert desk.signal("10:00:00", 10.0, BUY).orders == []
    assert blocked(desk) == [f"LiquidityRisk blocked 1000 {CODE}: no daily volume of {CODE} is known yet"]


def test_volatility_by_hand() -> None:
    closes = [10.0, 10.5, 10.0, 10.5]
    yearly = statistics.stdev([0.05, -0.5 / 10.5, 0.05]) * 252**0.5 * 100
    for most, count in ((yearly + 0.01, 1), (yearly - 0.01, 0)):
        desk = started([("VolatilityRisk", {"window": 3, "max_volatility": most})])
        assert len(daily(desk, {CODE: closes}, direction=BUY).orders) == count
    assert blocked(desk)[0].startswith(f"VolatilityRisk blocked 1000 {CODE}: volatility of {CODE} is {yearly:.1f} % a year")


def test_volatility_when_history_is_short_then_blocks_and_says_how_short() -> None:
    desk = started([("VolatilityRisk", {"window": 3, "max_volatility": 1000})])
    assert daily(desk, {CODE: [10.0, 10.1, 10.2]}, direction=BUY).orders == []
    assert blocked(desk) == [f"VolatilityRisk blocked 1000 {CODE}: 3 of 4 daily closes of {CODE} are known yet"]


@pytest.mark.parametrize(("other", "count"), [([20.0, 20.4, 20.2, 20.6], 0), ([20.0, 19.6, 19.8, 19.4], 1)])
def test_correlation_by_hand(other: list[float], count: int) -> None:
    # CODE goes up, down, up as the first of the others does (0.99…), against the second (-0.99…)
    desk = started([("CorrelationRisk", {"window": 3, "max_correlation": 0.9})])
    desk.quote("2026-11-16T15:00:00", 20.0, OTHER, interval=DAY, prev_close=20.0, volume=1)
    TestStrategy.planned = [(OTHER, BUY)]
    (order,) = desk.quote("2026-11-17T09:30:03", 20.0, OTHER, prev_close=20.0).orders
    desk.fill(order, 20.0, time="2026-11-17T09:30:04")
    orders = daily(desk, {CODE: [10.0, 10.2, 10.1, 10.3], OTHER: other}, direction=BUY).orders
    assert len(orders) == count, blocked(desk)
    if not count:
        assert blocked(desk)[0].endswith(f"with {OTHER}, the most is 0.9")


def test_correlation_when_nothing_is_held_then_passes() -> None:
    desk = started([("CorrelationRisk", {})])
    assert len(daily(desk, {CODE: [10.0, 10.2]}, direction=BUY).orders) == 1


def test_holding_period_by_hand() -> None:
    # bought on Friday 2026-11-20: Monday is the first trading day behind it, Tuesday the second
    desk = held(config=config(risks=[("HoldingPeriodRisk", {"max_days": 2})]))
    assert desk.quote("14:00:00", 10.0).orders == []
    (order,) = desk.quote("2026-11-24T09:30:00", 10.0, prev_close=10.0).orders
    assert (order.direction, order.volume, order.reason) == (SELL, 1000, "HoldingPeriodRisk: held for 2 trading days, the most is 2")


def test_holding_period_when_more_is_bought_then_counts_from_the_first() -> None:
    desk = held(config=config(risks=[("HoldingPeriodRisk", {"max_days": 2})]))
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    desk.fill(order, 10.0)
    (order,) = desk.quote("2026-11-24T09:30:00", 10.0, prev_close=10.0).orders
    assert order.volume == 2000


def test_suspension_by_hand() -> None:
    desk = Desk(config(risks=[("SuspensionRisk", {})]))
    assert desk.signal("2026-11-24T10:00:00", 10.0, BUY).orders == []  # its updates have had no volume
    assert blocked(desk) == [f"SuspensionRisk blocked 1000 {CODE}: no share of {CODE} was traded today: it seems to be suspended"]
    TestStrategy.planned = [(CODE, BUY)]
    assert len(desk.quote("2026-11-24T10:02:00", 10.0, volume=100).orders) == 1


def test_suspension_when_a_code_has_no_price_today_then_blocks() -> None:
    desk = Desk(config(risks=[("SuspensionRisk", {})]))
    desk.quote("2026-11-24T10:00:00", 10.0, volume=100)
    moment = ts("2026-11-24T10:00:00")
    days = PROFILE.order_day(moment), moment, PROFILE.trading_day(moment)
    account = Account(desk.portfolio(), desk.kernel._market.windows, PROFILE, *days)

    class Proposal:
        code, volume = OTHER, 100

    verdict = SuspensionRisk(SuspensionParams()).check(Proposal(), account, {})  # type: ignore[arg-type]
    assert (verdict.volume, verdict.reason) == (0, f"{OTHER} has no price today: it seems to be suspended")


def test_chain_when_several_cut_then_each_sees_what_the_one_before_left() -> None:
    # 5 % of 100,000 at 10.10 are 495 shares: 400; 2,000 CNY buy 100 at 10.10
    ratio, capital = ("PositionRatioRisk", {"max_position_ratio": 0.05}), ("CapitalRisk", {"min_cash": 98_000})
    desk = Desk(config(risks=[ratio, capital]))
    (order,) = desk.signal("10:00:00", 10.0, BUY).orders
    assert order.volume == 100
    did = [text.split(":")[0] for text in blocked(desk)]
    assert did == [f"PositionRatioRisk cut 1000 to 400 {CODE}", f"CapitalRisk cut 400 to 100 {CODE}"]
    desk = Desk(config(risks=[capital, ratio]))
    desk.signal("10:00:00", 10.0, BUY)
    assert [text.split(":")[0] for text in blocked(desk)] == [f"CapitalRisk cut 1000 to 100 {CODE}"]


def test_chain_when_one_blocks_then_the_rest_is_not_asked_and_it_is_counted_by_name() -> None:
    risks: list[tuple[str, Any]] = [("CapitalRisk", {"min_cash": 99_999}), ("LiquidityRisk", {})]
    desk = Desk(config(risks=risks))
    for time in ("10:00:00", "10:02:00"):
        assert desk.signal(time, 10.0, BUY).orders == []
        assert len(blocked(desk)) == 1
    assert desk.view().drops == {"risk:CapitalRisk": 2}


def test_windows_of_all_components_when_too_large_to_be_made_durable_then_are_refused() -> None:
    risks: list[tuple[str, Any]] = [("CorrelationRisk", {"window": 500}), ("VolatilityRisk", {"window": 500})]
    risks += [("VolatilityRisk", {"window": 500}), ("CorrelationRisk", {"window": 500})]
    (error,) = validate_config(config(strategy="RandomSignalStrategy", risks=risks))
    assert "more than 2000 values" in error
