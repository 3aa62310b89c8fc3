"""Each strategy on bars computed by hand, and on real ones against a plain pandas reckoning."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.registry import builtin
from ginkgo_streams.trial import Bar, try_strategy
from tests.unit.domain.bars_of_000001 import column, needs_bars
from tests.unit.domain.portfolio.desk import CODE, OTHER

THIRD = "300001.SZ"


def made(name: str, **params: Any) -> Any:
    cls = builtin.find("strategy", name)
    assert cls is not None
    return cls(msgspec.convert(params, cls.Params))


def said(name: str, bars: list[float | Bar], held: int = 0, **params: Any) -> list[tuple[int, int]]:
    """Of one code: (number of the bar, direction)."""
    found = try_strategy(made(name, **params), {CODE: bars}, held={CODE: held} if held else None)
    return [(number, signal.direction) for number, signal in found]


def test_mean_reversion_by_hand() -> None:
    # of 10 10 9 the mean is 9.667 and the deviation 0.4714: z = -1.414. Of 10 9 9: -0.707. Of 9 9 9: 0. Of 9 9 8: -1.414 again
    closes: list[float | Bar] = [10, 10, 10, 9, 9, 9, 8]
    assert said("MeanReversionStrategy", closes, period=3, entry_z=1.4, exit_z=0.5) == [(3, BUY), (6, BUY)]
    assert said("MeanReversionStrategy", closes, held=100, period=3, entry_z=1.4, exit_z=0.5) == [(5, SELL)]
    assert said("MeanReversionStrategy", closes, held=100, period=3, entry_z=1.4, exit_z=0.8) == [(4, SELL), (5, SELL)]


def test_mean_reversion_when_a_fall_goes_on_then_buys_once() -> None:
    # of 10 10 9 z is -1.414, of 10 9 8 it is -1.225: below -1.2 still, and no new fall
    assert said("MeanReversionStrategy", [10, 10, 10, 9, 8], period=3, entry_z=1.2) == [(3, BUY)]


def test_momentum_by_hand() -> None:
    # over 2 closes: 10.2 is +2 %, 10.5 is +5 % of 10, 10.8 is +5.9 % of 10.2 (no new rise to 5), 10.5 is 0 of 10.5
    closes: list[float | Bar] = [10, 10, 10.2, 10.5, 10.8, 10.5]
    assert said("MomentumStrategy", closes, lookback=2, threshold=5) == [(3, BUY)]
    assert said("MomentumStrategy", closes, held=100, lookback=2, threshold=5) == [(5, SELL)]


def test_volume_breakout_by_hand() -> None:
    def bars(*pairs: tuple[float, int]) -> list[float | Bar]:
        return [Bar(close, close, close, close, volume) for close, volume in pairs]

    quiet = bars((10.0, 100), (10.1, 100))
    assert said("VolumeBreakoutStrategy", quiet + bars((10.2, 200)), period=2, multiple=2) == [(2, BUY)]
    assert said("VolumeBreakoutStrategy", quiet + bars((10.2, 199)), period=2, multiple=2) == []
    assert said("VolumeBreakoutStrategy", quiet + bars((10.1, 300)), period=2, multiple=2) == []  # no new high
    assert said("VolumeBreakoutStrategy", quiet + bars((10.04, 10)), held=100, period=2) == [(2, SELL)]  # the mean is 10.05
    assert said("VolumeBreakoutStrategy", quiet + bars((10.05, 10)), held=100, period=2) == []


@pytest.mark.parametrize(("close", "held", "expected"), [(10.36, 0, [(2, BUY)]), (10.35, 0, []), (9.64, 100, [(2, SELL)]), (9.65, 100, [])])
def test_dual_thrust_by_hand(close: float, held: int, expected: list[tuple[int, int]]) -> None:
    # highest high 10.5 - lowest close 10.0 = 0.5; highest close 10.2 - lowest low 9.5 = 0.7: the range. Lines at 10 ± 0.35
    bars: list[float | Bar] = [Bar(10, 10.5, 9.5, 10.0), Bar(10, 10.4, 9.8, 10.2), Bar(10, 12, 9, close)]
    assert said("DualThrustStrategy", bars, held=held, lookback_days=2, k1=0.5, k2=0.5) == expected


def test_dual_thrust_when_flat_again_on_one_day_then_buys_once() -> None:
    day = [Bar(10, 10.5, 9.5, 10.0)] * 1440  # a day of minutes, which has no sessions here
    found = try_strategy(made("DualThrustStrategy", lookback_days=1), {CODE: [*day, 11, 11.1, 11.2]}, length="1m")
    # the range is 10.5 - 10 = 0.5; the open is 11 itself, the line 11.25
    assert found == []
    found = try_strategy(made("DualThrustStrategy", lookback_days=1), {CODE: [*day, 11, 11.3, 11.0, 11.4]}, length="1m")
    assert [(number, signal.direction) for number, signal in found] == [(1441, BUY)]


def test_cross_sectional_momentum_by_hand() -> None:
    bars: dict[str, list[float | Bar]] = {
        CODE: [10, 10.1, 10.2, 10.3, 10.4, 10.5],
        OTHER: [10, 10.2, 10.4, 10.3, 10.3, 10.2],
        THIRD: [10, 10.0, 10.0, 10.4, 10.9, 11.5],
    }
    strategy = made("CrossSectionalMomentumStrategy", lookback=2, top_n=1, rebalance_days=2)
    # at bar 3 the closes before it rose 2 %, 4 % and 0 %: the second is bought. Ranked again two days later, at bar 5: 2 %, -1 %, 9 %
    found = [(number, signal.code, signal.direction) for number, signal in try_strategy(strategy, bars)]
    assert found == [(3, OTHER, BUY), (5, THIRD, BUY)]
    found = [(number, s.code, s.direction) for number, s in try_strategy(strategy, bars, held={OTHER: 100})]
    assert found == [(5, THIRD, BUY), (5, OTHER, SELL)]


def test_cross_sectional_momentum_when_all_are_alike_then_the_first_code_wins() -> None:
    strategy = made("CrossSectionalMomentumStrategy", lookback=1, top_n=2, rebalance_days=1)
    found = try_strategy(strategy, {code: [10.0, 10.0, 10.0] for code in (OTHER, THIRD, CODE)})
    assert [(number, signal.code) for number, signal in found] == [(2, CODE), (2, THIRD)]


def test_no_strategy_when_windows_are_half_filled_then_says_anything() -> None:
    rising: dict[str, list[float | Bar]] = {CODE: [10 * 1.05**i for i in range(20)], OTHER: [10 * 0.97**i for i in range(20)]}
    cases: dict[str, dict[str, Any]] = {
        "TrendFollowStrategy": {"short_period": 5, "long_period": 20}, "MeanReversionStrategy": {"period": 20},
        "MomentumStrategy": {"lookback": 19}, "VolumeBreakoutStrategy": {"period": 20}, "DualThrustStrategy": {"lookback_days": 20},
        "CrossSectionalMomentumStrategy": {"lookback": 19},
    }  # fmt: skip
    assert set(cases) | {"RandomSignalStrategy"} == set(builtin.names("strategy"))
    for name, params in cases.items():
        assert try_strategy(made(name, **params), rising, held={OTHER: 100}) == []


@pytest.mark.parametrize(
    ("name", "params"),
    [("MeanReversionStrategy", {"entry_z": 1, "exit_z": 1}), ("TrendFollowStrategy", {"short_period": 20, "long_period": 20})],
)
def test_parameters_that_contradict_each_other_then_are_refused(name: str, params: dict[str, Any]) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match="must be less than"):
        made(name, **params)


def real() -> tuple[list[float | Bar], pd.DataFrame]:
    frame = pd.DataFrame({name: column(name) for name in ("open", "high", "low", "close")}).assign(volume=(column("vol") * 100).round())
    return [Bar(a, b, c, d, int(volume)) for a, b, c, d, volume in frame.to_numpy().tolist()], frame


def days(condition: pd.Series) -> list[int]:
    return np.flatnonzero(condition.to_numpy()).tolist()


@needs_bars
@pytest.mark.parametrize("interval", ["tick", "1d"])
def test_strategies_on_real_bars_then_say_what_pandas_says(interval: str) -> None:
    bars, frame = real()
    close, volume = frame["close"], frame["volume"]

    def buys(name: str, **params: Any) -> list[int]:
        return [number for number, direction in said(name, bars, interval=interval, **params) if direction == BUY]

    def sells(name: str, **params: Any) -> list[int]:
        return [number for number, direction in said(name, bars, held=100, interval=interval, **params) if direction == SELL]

    short, long = close.rolling(5).mean().round(9), close.rolling(20).mean().round(9)
    assert buys("TrendFollowStrategy") == days((short > long) & (short <= long).shift(fill_value=False) & long.shift().notna()) != []
    z = (close - close.rolling(20).mean()) / close.rolling(20).std(ddof=0)
    assert buys("MeanReversionStrategy") == days((z <= -2) & (z.shift() > -2)) != []
    assert sells("MeanReversionStrategy") == days((z >= -0.5) & z.shift().notna()) != []
    rise = close.pct_change(20) * 100
    assert buys("MomentumStrategy") == days((rise >= 5) & (rise.shift() < 5)) != []
    assert sells("MomentumStrategy") == days((rise <= 0) & rise.shift().notna()) != []
    high, usual = close.shift().rolling(20).max(), volume.shift().rolling(20).mean()
    assert buys("VolumeBreakoutStrategy") == days((volume >= 2 * usual) & (close > high)) != []


@needs_bars
def test_dual_thrust_on_real_bars_then_says_what_pandas_says() -> None:
    bars, frame = real()
    before = frame.shift().rolling(4)
    spread = np.maximum(before["high"].max() - before["close"].min(), before["close"].max() - before["low"].min())
    found = said("DualThrustStrategy", bars)
    assert [number for number, _ in found] == days(frame["close"] > (frame["open"] + 0.5 * spread).round(9)) != []
