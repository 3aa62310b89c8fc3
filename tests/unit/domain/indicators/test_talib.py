"""Every indicator equals TA-Lib's: on real bars, on random ones, on prices that stand still, on windows too short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib
from numpy.typing import NDArray

from ginkgo_streams.domain import indicators as i
from tests.unit.domain.bars_of_000001 import PATH, column

Array = NDArray[np.float64]


def random_bars(seed: int, length: int) -> dict[str, Array]:
    chance = np.random.default_rng(seed)
    close = 10 * np.exp(np.cumsum(chance.normal(0, 0.02, length)))
    top, bottom = close * (1 + chance.uniform(0, 0.02, length)), close * (1 - chance.uniform(0, 0.02, length))
    return {"high": top, "low": bottom, "close": close, "volume": chance.integers(1, 10**6, length).astype(np.float64)}


def series() -> list[Any]:
    found = [pytest.param(random_bars(seed, 300), id=f"random{seed}") for seed in range(3)]
    found.append(pytest.param({name: np.full(60, 10.0) for name in ("high", "low", "close", "volume")}, id="still"))
    steps = np.repeat([10.0, 10.5, 10.0], 20)
    found.append(pytest.param({"high": steps, "low": steps, "close": steps, "volume": np.arange(60.0)}, id="steps"))
    found.append(pytest.param(random_bars(9, 12), id="short"))
    if PATH.exists():
        real = {name: column(name) for name in ("high", "low", "close")} | {"volume": column("vol")}
        found.append(pytest.param(real, id="000001.SZ"))
    return found


def two(values: Array) -> Array:
    """Two codes: the series, and the series doubled."""
    return np.stack([values, values * 2])


CASES: dict[str, tuple[Callable[[dict[str, Array]], Any], Callable[[dict[str, Array]], Any]]] = {
    "sma": (lambda b: i.sma(b["close"], 20), lambda b: talib.SMA(b["close"], 20)),
    "sma1": (lambda b: i.sma(b["close"], 1), lambda b: b["close"]),
    "ema": (lambda b: i.ema(b["close"], 20), lambda b: talib.EMA(b["close"], 20)),
    "wma": (lambda b: i.wma(b["close"], 20), lambda b: talib.WMA(b["close"], 20)),
    "stddev": (lambda b: i.stddev(b["close"], 20), lambda b: talib.STDDEV(b["close"], 20)),
    "bollinger": (lambda b: i.bollinger(b["close"], 20, 2.5), lambda b: talib.BBANDS(b["close"], 20, 2.5, 2.5)),
    "macd": (lambda b: i.macd(b["close"]), lambda b: talib.MACD(b["close"])),
    "momentum": (lambda b: i.momentum(b["close"], 10), lambda b: talib.MOM(b["close"], 10)),
    "roc": (lambda b: i.roc(b["close"], 10), lambda b: talib.ROC(b["close"], 10)),
    "rsi": (lambda b: i.rsi(b["close"], 14), lambda b: talib.RSI(b["close"], 14)),
    "williams_r": (lambda b: i.williams_r(b["high"], b["low"], b["close"], 14), lambda b: talib.WILLR(b["high"], b["low"], b["close"], 14)),
    "stochastic": (lambda b: i.stochastic(b["high"], b["low"], b["close"]), lambda b: talib.STOCH(b["high"], b["low"], b["close"])),
    "cci": (lambda b: i.cci(b["high"], b["low"], b["close"], 14), lambda b: talib.CCI(b["high"], b["low"], b["close"], 14)),
    "highest": (lambda b: i.highest(b["close"], 14), lambda b: talib.MAX(b["close"], 14)),
    "lowest": (lambda b: i.lowest(b["close"], 14), lambda b: talib.MIN(b["close"], 14)),
    "true_range": (lambda b: i.true_range(b["high"], b["low"], b["close"]), lambda b: talib.TRANGE(b["high"], b["low"], b["close"])),
    "atr": (lambda b: i.atr(b["high"], b["low"], b["close"], 14), lambda b: talib.ATR(b["high"], b["low"], b["close"], 14)),
    "obv": (lambda b: i.obv(b["close"], b["volume"]), lambda b: talib.OBV(b["close"], b["volume"])),
    "correlation": (lambda b: i.correlation(b["close"], b["volume"], 20), lambda b: talib.CORREL(b["close"], b["volume"], 20)),
}
"""Ours of many codes, TA-Lib's of one."""


@pytest.mark.parametrize("bars", series())
@pytest.mark.parametrize("name", CASES)
def test_indicator_when_given_bars_then_equals_talib(name: str, bars: dict[str, Array]) -> None:
    ours, theirs = CASES[name]
    found = ours({field: two(values) for field, values in bars.items()})
    for row, factor in enumerate((1.0, 2.0)):
        expected = theirs({field: values * factor for field, values in bars.items()})
        for mine, right in zip(*((x if isinstance(x, tuple) else (x,)) for x in (found, expected)), strict=True):
            scale = max(float(np.nanmax(np.abs(right), initial=0)), 1)
            near = 2e-7 if name in ("stddev", "bollinger", "correlation") else 1e-9
            np.testing.assert_allclose(mine[row], right, rtol=1e-9, atol=near * scale)


def test_every_indicator_has_a_case() -> None:
    assert set(i.__all__) - set(CASES) == {"returns", "zscore"}  # TA-Lib has neither


def test_zscore_by_hand() -> None:
    # of 1 2 3: mean 2, deviation sqrt(2/3); 3 is 1 / 0.8165 = 1.2247 above
    np.testing.assert_allclose(i.zscore(np.array([[1, 2, 3], [5, 5, 5]]), 3)[:, 2], [1.5**0.5, 0.0])


def test_returns_by_hand() -> None:
    np.testing.assert_allclose(i.returns(np.array([[10, 11, 9.9], [0, 1, 1]])), [[0.1, -0.1], [0.0, 0.0]])


def test_integers_give_what_floats_give() -> None:
    closes = np.array([[100_000, 101_000, 99_000, 100_000, 102_000]], np.int64)
    np.testing.assert_array_equal(i.rsi(closes, 3), i.rsi(closes.astype(np.float64), 3))


@pytest.mark.parametrize("call", [lambda x: i.sma(x, 0), lambda x: i.rsi(x, -1), lambda x: i.sma(x[0], 2), lambda x: i.macd(x, 5, 5)])
def test_indicator_when_asked_nonsense_then_says_so(call: Callable[[Array], Array]) -> None:
    with pytest.raises(ValueError, match=r"period|shape"):
        call(np.ones((2, 20)))
