"""Each figure against empyrical-reloaded where it has one, and by hand where it has not."""

from __future__ import annotations

import math
from pathlib import Path

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ginkgo_streams.backtest import statistics as s
from ginkgo_streams.backtest.result import Equity
from tests.unit.backtest.samples import CN, days, flat, outcome, plan, portfolio, walk, write

returns_lists = st.lists(st.floats(-0.09, 0.1).map(lambda x: round(x, 6)), min_size=2, max_size=80).filter(lambda r: len(set(r)) > 1)


def equity(r: list[float]) -> list[Equity]:
    values = 100_000 * np.cumprod(1 + np.array(r))
    return [
        Equity(date=f"d{i}", cash=0, positions_value=0, total_value=float(v), daily_return=r[i], exposure=0.5, positions=1)
        for i, v in enumerate(values)
    ]


@given(returns_lists)
def test_figures_when_reckoned_then_those_of_empyrical(r: list[float]) -> None:
    found = s.statistics(100_000, equity(r), [], [])
    series = np.array(r)
    assert found.total_return == pytest.approx(empyrical.cum_returns_final(series), abs=1e-9)
    assert found.annual_return == pytest.approx(empyrical.annual_return(series), rel=1e-6, abs=1e-9)
    assert found.volatility == pytest.approx(empyrical.annual_volatility(series), rel=1e-6)
    assert found.max_drawdown == pytest.approx(empyrical.max_drawdown(series), abs=1e-9)
    for ours, theirs in ((found.sharpe, empyrical.sharpe_ratio(series)), (found.sortino, empyrical.sortino_ratio(series)),
                         (found.calmar, empyrical.calmar_ratio(series))):  # fmt: skip
        if ours is None:
            assert theirs is None or math.isnan(theirs) or math.isinf(theirs)
        else:
            assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-7)


def test_a_drawdown_when_it_recovers_then_its_length_is_from_peak_to_peak() -> None:
    found = s.statistics(100_000, equity([0.1, -0.05, -0.05, 0.2, 0.01, -0.02]), [], [])
    assert (found.max_drawdown_days, found.max_drawdown_start, found.max_drawdown_end) == (3, "d0", "d3")
    assert found.max_drawdown == pytest.approx(0.95 * 0.95 - 1)
    lasting = s.statistics(100_000, equity([-0.1, 0.01]), [], [])
    assert (lasting.max_drawdown_days, lasting.max_drawdown_start, lasting.max_drawdown_end) == (2, None, None)


def test_trades_when_counted_then_win_rate_profit_factor_turnover_and_fees_are_theirs(tmp_path: Path) -> None:
    prices = [10.0, 10.0, 10.5, 10.5, 10.5, 10.0, 10.0, 10.0]
    said = {"2026-01-05": "buy 000001.SZ", "2026-01-07": "sell 000001.SZ", "2026-01-08": "buy 000001.SZ", "2026-01-12": "sell 000001.SZ"}
    path = write(tmp_path / "000001.SZ.csv", [flat(price) for price in prices], days(8))
    result = outcome(plan(path, portfolio("ByDateStrategy", {"plan": said}), CN))
    fees = [sum(t.fees for t in result.trades[i : i + 2]) for i in (0, 2)]
    gain, loss = 500 - fees[0], 500 + fees[1]
    found = result.statistics
    assert (found.trades, found.orders, found.closed, found.win_rate) == (4, 4, 2, 0.5)
    assert found.profit_factor == pytest.approx(gain / loss)
    assert found.fees == pytest.approx(sum(fees))
    mean = np.mean([row.total_value for row in result.equity])
    assert found.turnover == pytest.approx((10_000 + 10_500 + 10_500 + 10_000) / mean * 252 / 8)
    assert result.final_value == pytest.approx(100_000 + gain - loss)


def test_nothing_traded_when_reckoned_then_undefined_figures_are_none(tmp_path: Path) -> None:
    found = outcome(plan(write(tmp_path / "000001.SZ.csv", [flat(10.0)] * 30, days(30)), portfolio())).statistics
    assert (found.total_return, found.volatility, found.max_drawdown, found.trades) == (0, 0, 0, 0)
    assert (found.sharpe, found.sortino, found.calmar, found.win_rate, found.profit_factor) == (None,) * 5


def test_exposure_when_half_the_time_invested_then_the_mean_share(tmp_path: Path) -> None:
    path = write(tmp_path / "000001.SZ.csv", walk(60, 5), days(60))
    result = outcome(plan(path, portfolio(params={"short_period": 2, "long_period": 5})))
    assert result.statistics.exposure == pytest.approx(np.mean([row.positions_value / row.total_value for row in result.equity]))
    assert 0 < result.statistics.exposure < 1
