"""ModelStrategy: signals by the score of an ONNX model over named features. Outside of the kernel, as it reads a file when it is built."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain import features
from ginkgo_streams.domain.bars import Need
from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.strategies.interval import IntervalParam
from ginkgo_streams.local.home import home

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from ginkgo_streams.domain.account import Account
    from ginkgo_streams.domain.batch import Batch


class ModelParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    model: Annotated[
        str, msgspec.Meta(min_length=1, description="ONNX file, the same on every node; a relative path is under ~/.ginkgo/models")
    ]
    features: Annotated[
        tuple[str, ...], msgspec.Meta(min_length=1, description="features in the order of the model's input, such as rsi_14")
    ]
    buy_above: Annotated[float, msgspec.Meta(description="score from which on it buys what is flat")] = 0.6
    sell_below: Annotated[float, msgspec.Meta(description="score up to which it sells what is held")] = 0.4
    output: Annotated[str, msgspec.Meta(description="name of the model's output that is the score; empty: the last one")] = ""
    sha256: Annotated[
        str, msgspec.Meta(pattern="^([0-9a-f]{64})?$", description="digest that the file must have, so that no node runs another model")
    ] = ""
    interval: IntervalParam = "tick"

    def __post_init__(self) -> None:
        if self.sell_below >= self.buy_above:
            raise ValueError(f"sell_below = {self.sell_below:g} must be less than buy_above = {self.buy_above:g}")
        features.length(self.features)


class ModelStrategy:
    """Runs the model on a float32 matrix of shape (codes, features), one row for each updated code with enough history.

    The score is the output of shape (codes,), (codes, 1), or of more columns the last one (the probability of the highest class). Buys
    what is flat from `buy_above` on, sells what is held up to `sell_below`; a code of which a feature or the score is not finite is
    left out. One thread, CPU: the same input gives the same score on one machine.
    """

    kind: Kind = "strategy"
    component_id = "model_strategy_uuid"
    Params = ModelParams

    def __init__(self, params: ModelParams) -> None:
        self.params = params
        self.interval = params.interval
        self.length = features.length(params.features)
        self.fields = features.fields(params.features)
        self.session = _session(params)
        self.input = self.session.get_inputs()[0].name
        self.output = params.output or self.session.get_outputs()[-1].name

    def history(self) -> int:
        """What the feature with the longest view looks at."""
        return self.length

    def needs(self) -> Iterable[Need]:
        """All fields of all features."""
        return [Need(self.interval, self.length, self.fields)]

    def signals(self, batch: Batch, account: Account, state: dict[str, Any]) -> Iterable[Signal]:
        """One run of the model for the whole batch."""
        warm = np.logical_and.reduce([batch.warm(self.length, field) for field in self.fields])
        ready = batch.select(warm)
        if not len(ready):
            return []
        found: list[Signal] = []
        for i, score in enumerate(self._scores(ready).tolist()):
            code = ready.codes[i]
            if score >= self.params.buy_above and account.volume(code) == 0 and account.pending(code) == 0:
                found.append(Signal(code, BUY, int(ready.ts[i]), f"score {score:.3f}"))
            elif score <= self.params.sell_below and account.volume(code) > 0:
                found.append(Signal(code, SELL, int(ready.ts[i]), f"score {score:.3f}"))
        return found

    def _scores(self, batch: Batch) -> NDArray[np.float64]:
        """Of each code; NaN where a feature is not finite."""
        given = features.matrix({field: batch.last(field, self.length) for field in self.fields}, self.params.features)
        finite = np.isfinite(given).all(axis=1)
        scores = np.full(len(given), np.nan)
        if finite.any():
            found = np.asarray(self.session.run([self.output], {self.input: given[finite]})[0], np.float64)
            scores[finite] = found.reshape(int(finite.sum()), -1)[:, -1]
        return scores


def _session(params: ModelParams) -> InferenceSession:
    """The model, loaded and tried on one row. Raises ValueError that says what is wrong with the file."""
    import onnxruntime  # 0.2 s: only who runs a model pays for it

    path = home() / "models" / Path(params.model).expanduser()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"model {str(path)!r} cannot be read: {error.strerror}; put the file there, on every node") from None
    digest = hashlib.sha256(content).hexdigest()
    if params.sha256 and digest != params.sha256:
        raise ValueError(f"model {str(path)!r} has the sha256 {digest}, not {params.sha256}: it is another file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an exception for each of its states, and no base for them
        raise ValueError(f"model {str(path)!r} is no ONNX model that can be run: {error}") from None
    outputs = [output.name for output in session.get_outputs()]
    if params.output and params.output not in outputs:
        raise ValueError(f"model {str(path)!r} has no output {params.output!r}; it has {', '.join(outputs)}")
    _try(session, params, str(path), params.output or outputs[-1])
    return session


def _try(session: InferenceSession, params: ModelParams, path: str, output: str) -> None:
    rows, wanted = 3, len(params.features)
    try:
        score = session.run([output], {session.get_inputs()[0].name: np.zeros((rows, wanted), np.float32)})[0]
        numbers = np.asarray(score, np.float64)
    except Exception as error:  # see above
        raise ValueError(f"model {path!r} does not take {wanted} features of float32 for any number of codes: {error}") from None
    if numbers.size % rows or numbers.ndim == 0 or numbers.shape[0] != rows:
        raise ValueError(f"output {output!r} of model {path!r} has the shape {numbers.shape} for {rows} codes; it has to begin with {rows}")
