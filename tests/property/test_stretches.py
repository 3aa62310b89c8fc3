"""What is passed over makes no difference: the same result, the same state, to the byte."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ginkgo_streams.backtest.machine import Machine
from ginkgo_streams.backtest.result import encode_result, results
from ginkgo_streams.backtest.run import Plan, run, trading_days
from ginkgo_streams.backtest.stretches import stretches
from ginkgo_streams.domain.component import Held, Signal
from ginkgo_streams.domain.events import BUY, SELL, TS
from ginkgo_streams.domain.registry import builtin
from ginkgo_streams.domain.risk.holding_period import HoldingPeriodRisk
from ginkgo_streams.domain.risk.loss_limit import LossLimitRisk
from ginkgo_streams.domain.risk.max_drawdown import MaxDrawdownRisk
from ginkgo_streams.domain.risk.profit_target import ProfitTargetRisk
from ginkgo_streams.domain.strategies.trend_follow import TrendFollowParams, TrendFollowStrategy
from tests.unit.backtest.samples import CN, GENERIC, days, plan, portfolio


def minutes(folder: Path, code: str, seed: int, count: int) -> None:
    """Some days of minutes, with a close now and then that is no neighbour of the one before."""
    rng = np.random.default_rng(seed)
    lines, price = [], 10.0
    for day in days(count):
        opening = datetime.combine(day, datetime.min.time()) + timedelta(hours=9, minutes=31)
        for n in range(60):
            before, price = price, round(max(price * (1 + float(rng.normal(0, 0.004))), 2), 2)
            low, high = min(before, price), max(before, price)
            lines.append(f"{opening + timedelta(minutes=n)},{before},{high},{low},{price},{int(rng.integers(0, 300_000))}")
    (folder / f"{code}.csv").write_text("datetime,open,high,low,close,volume\n" + "\n".join(lines) + "\n")


def state(made: Plan, machine: Machine) -> dict[str, Any]:
    kernel, exchange = machine.portfolios, machine.exchange
    return {
        "result": encode_result(results(made, machine)[0]), "portfolios": {p: kernel.encode_portfolio(p) for p in kernel.portfolios},
        "windows": {name: kernel.encode_chunk(name) for name in kernel.touched_chunks()},
        "exchange": {key: exchange.encode(key) for key in exchange.touched()},
    }  # fmt: skip


STRATEGIES: dict[str, Any] = {
    "TrendFollowStrategy": {"short_period": 3, "long_period": 9}, "MeanReversionStrategy": {"period": 8},
    "MomentumStrategy": {"lookback": 6, "threshold": 0.8}, "VolumeBreakoutStrategy": {"period": 6, "multiple": 1.2},
    "DualThrustStrategy": {"lookback_days": 2}, "RandomSignalStrategy": {"probability": 0.05},
}  # fmt: skip
RISKS: list[list[tuple[str, Any]]] = [
    [],
    [("PositionRatioRisk", {"max_position_ratio": 0.5}), ("LossLimitRisk", {"loss_limit": 1}), ("ProfitTargetRisk", {"profit_target": 2})],
    [("ProfitTargetRisk", {"profit_target": 0.8, "trailing_percent": 0.4, "partial_ratio": 0.5}), ("HoldingPeriodRisk", {"max_days": 2})],
    [("MaxDrawdownRisk", {"warning_drawdown": 0.5, "max_drawdown": 1.0, "critical_drawdown": 1.5})],
]  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10_000), st.sampled_from([CN, GENERIC]), st.sampled_from(sorted(STRATEGIES)), st.sampled_from(RISKS),
    st.sampled_from(["FixedVolumeSizer", "AllInSizer"]), st.integers(1, 2), st.sampled_from(["tick", "5m"]), st.integers(-1, 5),
)  # fmt: skip
def test_stretches_when_passed_over_then_the_same_to_the_byte(
    seed: int, market: Any, strategy: str, risks: Any, sizer: str, codes: int, interval: str, missing: int
) -> None:
    params = STRATEGIES[strategy] | ({} if strategy in ("DualThrustStrategy", "RandomSignalStrategy") else {"interval": interval})
    config = portfolio(strategy, params, sizer=sizer, sized={} if sizer == "AllInSizer" else None, risks=risks)
    with tempfile.TemporaryDirectory() as folder:
        for number, code in enumerate(("000001.SZ", "600000.SH")[:codes]):
            minutes(Path(folder), code, seed + number, 6)
        made = plan(Path(folder), config, market)
    if missing >= 0:  # a day of trading without a bar
        of_bar = trading_days(market, made.bars.data[TS])
        made = replace(made, bars=made.bars.select(of_bar != np.unique(of_bar)[missing]))
    whole, passed = run(made, passing=False), run(made)
    assert state(made, whole) == state(made, passed)


@pytest.mark.parametrize("strategy", ["TrendFollowStrategy", "MeanReversionStrategy", "MomentumStrategy", "VolumeBreakoutStrategy"])
@pytest.mark.parametrize("risks", RISKS)
def test_stretches_when_there_is_trading_then_it_is_the_same_with_fills_and_most_moments_are_passed_over(
    tmp_path: Path, strategy: str, risks: Any
) -> None:
    minutes(tmp_path, "000001.SZ", 3, 12)
    made = plan(tmp_path, portfolio(strategy, STRATEGIES[strategy], risks=risks), GENERIC)
    whole, passed = run(made, passing=False), run(made)
    assert state(made, whole) == state(made, passed)
    assert any(journal.fills for journal in whole.journals.values())
    if not any("trailing_percent" in params for _, params in risks):
        assert len(seen(made)) < len(made.bars) * 0.7


class AlwaysStrategy(TrendFollowStrategy):
    """Signals at each moment, which the prospects that it inherits do not know of."""

    component_id = "always_strategy_uuid"

    def signals(self, batch: Any, account: Any, state: dict[str, Any]) -> Any:
        return [Signal(code, BUY if account.volume(code) == 0 else SELL, int(batch.ts[i]), "always") for i, code in enumerate(batch.codes)]


class JumpyRisk(LossLimitRisk):
    """Sells at once, which the prospects that it inherits do not know of."""

    component_id = "jumpy_risk_uuid"

    def force(self, held: Held, memo: dict[str, Any]) -> Signal | None:
        return Signal(held.code, SELL, held.ts, "jumpy")


@pytest.mark.parametrize(("strategy", "risk"), [("AlwaysStrategy", "LossLimitRisk"), ("TrendFollowStrategy", "JumpyRisk")])
def test_stretches_when_a_subclass_does_otherwise_then_what_it_inherits_is_not_relied_on(tmp_path: Path, strategy: str, risk: str) -> None:
    minutes(tmp_path, "000001.SZ", 1, 6)
    made = plan(tmp_path, portfolio(strategy, risks=[(risk, {})]), GENERIC)
    made = replace(made, registry=builtin.plus([AlwaysStrategy, JumpyRisk]))
    assert len(seen(made)) == len(made.bars)
    assert state(made, run(made, passing=False)) == state(made, run(made))


def seen(made: Plan) -> list[int]:
    """Of each moment that was driven, how many in front of it were passed over."""
    asked: list[int] = []
    original = Machine.known

    def known(self: Machine, quotes: Any, day: int, before: Any) -> None:
        asked.append(before.shape[1])
        original(self, quotes, day, before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Machine, "known", known)
        run(made)
    assert sum(asked) + len(asked) == len(made.bars)
    return asked


def test_stretches_when_the_bars_are_plain_then_most_moments_are_passed_over_and_a_bar_beyond_its_limits_ends_that(tmp_path: Path) -> None:
    minutes(tmp_path, "000001.SZ", 1, 6)
    made = plan(tmp_path, portfolio(params={"short_period": 5, "long_period": 20}))
    assert len(seen(made)) < len(made.bars) / 2
    made.bars.data[2, 100] *= 2
    moments = trading_days(CN, np.unique(made.bars.data[TS]))
    assert stretches(made.bars, moments, run(made).portfolios, CN) is None


@given(st.lists(st.integers(100, 130), min_size=2, max_size=60), st.integers(1, 4), st.integers(1, 6))
def test_prospects_when_reckoned_then_every_cross_and_nothing_else(closes: list[int], short: int, more: int) -> None:
    long = short + more
    enter, leave = TrendFollowStrategy(TrendFollowParams(short_period=short, long_period=long)).prospects(
        np.array(closes, np.int64), np.ones(len(closes), np.int64)
    )  # fmt: skip
    for i in range(len(closes)):
        if i < long:
            assert not enter[i]
            assert not leave[i]
            continue

        def spread(at: int) -> int:
            return sum(closes[at - short + 1 : at + 1]) * long - sum(closes[at - long + 1 : at + 1]) * short

        now, before = spread(i), spread(i - 1)
        assert (enter[i], leave[i]) == (now > 0 >= before, now < 0 <= before)


PRICES = st.lists(st.integers(9_000, 13_000), min_size=1, max_size=30)


@settings(max_examples=200)
@given(PRICES, st.integers(1, 9_999), st.integers(1, 12), st.integers(0, 2), st.integers(0, 9_000))
def test_force_prospects_when_force_acts_then_it_is_among_them(
    prices: list[int], volume: int, percent: int, days: int, sold_of: int
) -> None:  # fmt: skip
    cost = 11_000 * volume
    memo: dict[str, Any] = {"sold_of": sold_of} if sold_of else {}
    managers: list[Any] = [
        LossLimitRisk(LossLimitRisk.Params(loss_limit=percent)), ProfitTargetRisk(ProfitTargetRisk.Params(profit_target=percent)),
        ProfitTargetRisk(ProfitTargetRisk.Params(profit_target=percent, trailing_percent=1.0, partial_ratio=0.5)),
        HoldingPeriodRisk(HoldingPeriodRisk.Params(max_days=2)),
    ]  # fmt: skip
    for manager in managers:
        first = Held("000001.SZ", volume, volume, cost, prices[0], 1, days)
        found = manager.force_prospects(first, np.array(prices, np.int64), memo)
        for at, price in enumerate(prices):
            after = dict(memo)
            acted = manager.force(replace(first, price=price), after) is not None or after != memo
            assert found[at] or not acted


@given(st.lists(st.integers(80, 130), min_size=1, max_size=30), st.integers(0, 120))
def test_watch_prospects_when_watch_acts_then_it_is_among_them(values: list[int], peak: int) -> None:
    manager = MaxDrawdownRisk(MaxDrawdownRisk.Params())
    memo: dict[str, Any] = {"peak": peak} if peak else {}
    found = manager.watch_prospects(np.array(values, np.int64), memo)
    for at, value in enumerate(values):
        after = dict(memo)
        account = SimpleNamespace(total_value=lambda value=value: value, codes=["000001.SZ"], available=lambda code: 1, ts=1)
        acted = bool(list(manager.watch(account, after))) or after != memo  # type: ignore[arg-type]
        assert found[at] or not acted


@pytest.mark.parametrize("market", [CN, GENERIC])
def test_trading_days_when_moments_are_at_and_around_the_close_then_each_is_of_its_day(market: Any) -> None:
    closes = [market.close_ts(day.toordinal()) for day in days(6)]
    moments = sorted(close + step for close in closes for step in (-3_600_000, -1, 0, 1, 3_600_000))
    assert trading_days(market, np.array(moments, np.int64)).tolist() == [market.trading_day(ts) for ts in moments]
