"""ModelStrategy on models that are fitted and exported here, run by onnxruntime."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ginkgo_streams.components import installed
from ginkgo_streams.domain import features
from ginkgo_streams.domain.config import build, validate_config
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.model_strategy import ModelParams, ModelStrategy
from ginkgo_streams.trial import Bar, try_strategy
from tests.unit.domain.bars_of_000001 import column, needs_bars

CODE, OTHER = "000001.SZ", "600000.SH"
NAMES = ("return_5", "zscore_20", "rsi_14")


def fit(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """A logistic regression by gradient descent: weights, the constant last."""
    given = np.column_stack([x, np.ones(len(x))])
    weights = np.zeros(given.shape[1])
    for _ in range(2000):
        weights -= 0.5 * given.T @ (1 / (1 + np.exp(-given @ weights)) - y) / len(y)
    return weights


def export(path: Path, weights: NDArray[np.float64], scale: NDArray[np.float64], rows: str | int = "codes") -> Path:
    """sigmoid(x / scale · weights), as (codes, 1)."""
    constants = {"w": (weights[:-1] / scale)[:, None], "b": weights[-1:]}
    steps = [("MatMul", ["x", "w"], "m"), ("Add", ["m", "b"], "s"), ("Sigmoid", ["s"], "p")]
    nodes = [helper.make_node(name, given, [out]) for name, given, out in steps]
    graph = helper.make_graph(
        nodes, "logistic", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, len(weights) - 1])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, [rows, 1])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def rising(path: Path) -> Path:
    """A score above 0.5 where the close is above the one before, far from it by 1 %."""
    return export(path, np.array([10.0, 0.0]), np.array([0.01]))


def made(path: Path | str, **params: Any) -> ModelStrategy:
    return ModelStrategy(msgspec.convert({"model": str(path), "features": ["return_1"], **params}, ModelParams))


def test_score_by_hand_then_buys_above_and_sells_below(tmp_path: Path) -> None:
    strategy = made(rising(tmp_path / "m.onnx"))
    # scores from the second close on: 1.0 0.5 0.0, and 0.5 0.0 1.0
    bars: dict[str, list[float | Bar]] = {CODE: [10.0, 10.1, 10.1, 10.0], OTHER: [10.0, 10.0, 9.9, 10.0]}
    assert [(i, s.code, s.direction) for i, s in try_strategy(strategy, bars)] == [(1, CODE, BUY), (3, OTHER, BUY)]
    held = try_strategy(strategy, bars, held={CODE: 100, OTHER: 100})
    assert [(i, s.code, s.direction) for i, s in held] == [(2, OTHER, SELL), (3, CODE, SELL)]
    assert held[0][1].reason == "score 0.000"


@needs_bars
def test_model_fitted_to_real_bars_then_says_what_numpy_says(tmp_path: Path) -> None:
    close = column("close")
    windows = np.lib.stride_tricks.sliding_window_view(np.round(close * 10_000).astype(np.int64), features.length(NAMES))
    x = features.matrix({"close": windows}, NAMES).astype(np.float64)
    known = x[:-1]
    up = (np.diff(close)[features.length(NAMES) - 1 :] > 0).astype(np.float64)
    scale = known.std(axis=0)
    weights = fit(known[:1500] / scale, up[:1500])
    path = export(tmp_path / "fitted.onnx", weights, scale)
    strategy = made(path, features=list(NAMES), buy_above=0.52, sell_below=0.48, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    scores = 1 / (1 + np.exp(-(x / scale) @ weights[:-1] - weights[-1]))
    clear = np.flatnonzero((scores >= 0.52) & (np.abs(scores - 0.52) > 1e-4)) + features.length(NAMES) - 1
    near = np.flatnonzero(np.abs(scores - 0.52) <= 1e-4) + features.length(NAMES) - 1
    found = {i for i, signal in try_strategy(strategy, {CODE: close.tolist()}) if signal.direction == BUY}
    assert len(clear) > 20
    assert found - set(near.tolist()) == set(clear.tolist())


def test_feature_that_is_not_finite_then_the_code_is_left_out(tmp_path: Path) -> None:
    less, cast = helper.make_node("Less", ["x", "zero"], ["less"]), helper.make_node("Cast", ["less"], ["p"], to=TensorProto.FLOAT)
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["codes", 1]) for name in ("x", "p")]
    zero = numpy_helper.from_array(np.zeros(1, np.float32), "zero")
    graph = helper.make_graph([less, cast], "below", shapes[:1], shapes[1:], [zero])  # 0 for what is not below 0, and so for NaN
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    strategy = made(tmp_path / "m.onnx", features=["volume_ratio_1"], sell_below=0.0)
    bars: dict[str, list[float | Bar]] = {CODE: [Bar(10, 10, 10, 10, 0), Bar(10, 10, 10, 10, 5)], OTHER: [10.0, 10.0]}
    assert [signal.code for _, signal in try_strategy(strategy, bars, held={CODE: 100, OTHER: 100})] == [OTHER]


def test_half_filled_window_then_says_nothing(tmp_path: Path) -> None:
    path = export(tmp_path / "m.onnx", np.array([0.0, 5.0]), np.array([1.0]))
    assert [i for i, _ in try_strategy(made(path, features=["rsi_5"]), {CODE: [10.0] * 7})] == [5, 6]


def test_config_that_names_it_then_is_built_from_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GINKGO_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    rising(tmp_path / "models" / "m.onnx")
    config = {
        "strategy": {"name": "ModelStrategy", "params": {"model": "m.onnx", "features": ["return_1"], "interval": "1d"}},
        "sizer": {"name": "FixedVolumeSizer"},
    }
    kit = build(config, installed())
    assert (kit.interval, kit.history) == ("1d", 2)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"model": "none.onnx"}, "cannot be read: No such file or directory; put the file there, on every node"),
        ({"model": "text.onnx"}, "is no ONNX model that can be run"),
        ({"features": ["return_1", "rsi_14"]}, "does not take 2 features"),
        ({"features": ["rsi"]}, "'rsi' is no feature; known"),
        ({"features": ["volatility_1"]}, "needs at least 2 returns"),
        ({"output": "score"}, "has no output 'score'; it has p"),
        ({"sha256": "0" * 64}, "it is another file"),
        ({"model": "three.onnx"}, "does not take 1 features of float32 for any number of codes|has the shape"),
        ({"buy_above": 0.4}, "sell_below = 0.4 must be less than buy_above = 0.4"),
    ],
)
def test_config_with_a_model_that_cannot_be_used_then_says_why(
    params: dict[str, Any], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GINKGO_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    rising(tmp_path / "models" / "m.onnx")
    export(tmp_path / "models" / "three.onnx", np.array([1.0, 0.0]), np.array([1.0]), rows=1)
    (tmp_path / "models" / "text.onnx").write_text("no model")
    strategy = {"name": "ModelStrategy", "params": {"model": "m.onnx", "features": ["return_1"], **params}}
    (error,) = validate_config({"strategy": strategy, "sizer": {"name": "AllInSizer"}}, installed())
    assert error.startswith("strategy ModelStrategy: ")
    assert re.search(text, error), error


WINDOW = np.array([[100_000, 101_000, 99_000, 102_000]])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("return_2", 102 / 101 - 1), ("sma_ratio_4", 102 / 100.5 - 1), ("high_ratio_3", 0.0), ("low_ratio_3", 102 / 99 - 1),
        ("zscore_4", 1.5 / 1.25**0.5), ("rsi_3", 100 * 4 / 6), ("volatility_3", float(np.std([0.01, 99 / 101 - 1, 102 / 99 - 1]))),
        ("volume_ratio_2", 102 / 100), ("atr_ratio_3", (1 + 2 + 3) / 3 / 102),
    ],
)  # fmt: skip
def test_feature_by_hand(name: str, value: float) -> None:
    windows: Any = dict.fromkeys(("close", "high", "low", "volume"), WINDOW)
    assert features.matrix(windows, (name,))[0, 0] == pytest.approx(value, rel=1e-6)
