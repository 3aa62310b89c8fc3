"""What is passed over makes no difference: the same result, the same state, to the byte."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ginkgo_streams.backtest.machine import Machine
from ginkgo_streams.backtest.result import encode_result, results
from ginkgo_streams.backtest.run import Plan, run, trading_days
from ginkgo_streams.backtest.stretches import stretches
from ginkgo_streams.domain.events import TS
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


@settings(deadline=None, max_examples=20)
@given(
    st.integers(0, 10_000),
    st.sampled_from([CN, GENERIC]),
    st.booleans(),
    st.sampled_from(["FixedVolumeSizer", "AllInSizer"]),
    st.integers(1, 2),
)
def test_stretches_when_passed_over_then_the_same_to_the_byte(seed: int, market: Any, watched: bool, sizer: str, codes: int) -> None:
    risks: Any = [("LossLimitRisk", {"loss_limit": 1.0})] if watched else []
    config = portfolio(params={"short_period": 3, "long_period": 9}, sizer=sizer, sized={} if sizer == "AllInSizer" else None, risks=risks)
    with tempfile.TemporaryDirectory() as folder:
        for number, code in enumerate(("000001.SZ", "600000.SH")[:codes]):
            minutes(Path(folder), code, seed + number, 6)
        made = plan(Path(folder), config, market)
    whole, passed = run(made, passing=False), run(made)
    assert state(made, whole) == state(made, passed)
    assert any(journal.fills for journal in whole.journals.values())


def test_stretches_when_the_bars_are_plain_then_most_moments_are_passed_over_and_a_bar_beyond_its_limits_ends_that(tmp_path: Path) -> None:
    minutes(tmp_path, "000001.SZ", 1, 6)
    made = plan(tmp_path, portfolio(params={"short_period": 5, "long_period": 20}))
    asked: list[int] = []
    original = Machine.quotes
    Machine.quotes = lambda self, quotes: (asked.append(1), original(self, quotes))[1]  # type: ignore[method-assign, func-returns-value]
    try:
        run(made)
    finally:
        Machine.quotes = original  # type: ignore[method-assign]
    assert len(asked) < len(made.bars) / 2
    made.bars.data[2, 100] *= 2
    moments = trading_days(CN, np.unique(made.bars.data[TS]))
    assert stretches(made.bars, moments, run(made).portfolios, CN) is None


@given(st.lists(st.integers(100, 130), min_size=2, max_size=60), st.integers(1, 4), st.integers(1, 6))
def test_prospects_when_reckoned_then_every_cross_and_nothing_else(closes: list[int], short: int, more: int) -> None:
    long = short + more
    enter, leave = TrendFollowStrategy(TrendFollowParams(short_period=short, long_period=long)).prospects(np.array(closes, np.int64))
    for i in range(len(closes)):
        if i < long:
            assert not enter[i]
            assert not leave[i]
            continue

        def spread(at: int) -> int:
            return sum(closes[at - short + 1 : at + 1]) * long - sum(closes[at - long + 1 : at + 1]) * short

        now, before = spread(i), spread(i - 1)
        assert (enter[i], leave[i]) == (now > 0 >= before, now < 0 <= before)
