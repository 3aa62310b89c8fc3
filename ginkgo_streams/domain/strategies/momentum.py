"""MomentumStrategy: buy what has risen, sell what no longer rises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.component import NEAR, Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.strategies.interval import IntervalParam

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account
    from ginkgo_streams.domain.batch import Batch


class MomentumParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters, in values of the interval."""

    lookback: Annotated[int, msgspec.Meta(ge=1, le=999, description="closes back from which the rise is counted")] = 20
    threshold: Annotated[float, msgspec.Meta(gt=0, le=1000, description="rise over the lookback that buys, percent: 5 is 5 %")] = 5.0
    interval: IntervalParam = "tick"


class MomentumStrategy:
    """Buys what is flat when its rise over `lookback` closes comes up to `threshold` percent, once each time; sells what is held while
    it has not risen over `lookback` closes at all."""

    kind: Kind = "strategy"
    component_id = "momentum_strategy_uuid"
    Params = MomentumParams

    def __init__(self, params: MomentumParams) -> None:
        self.lookback = params.lookback
        self.threshold = params.threshold
        self.interval = params.interval

    def history(self) -> int:
        """The lookback of this close and of the one before."""
        return self.lookback + 2

    def prospects(self, closes: NDArray[np.int64], volumes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Every rise that comes up to the threshold, and every close that is no rise."""
        rise = np.zeros(len(closes))
        start, now = closes[: -self.lookback], closes[self.lookback :]
        rise[self.lookback :] = (now - start) * 100 / start
        before = np.concatenate(([0.0], rise[:-1]))
        warm = np.arange(len(closes)) >= self.lookback + 1
        return warm & (rise >= self.threshold - NEAR) & (before < self.threshold + NEAR), warm & (rise <= NEAR)

    def signals(self, batch: Batch, account: Account, state: dict[str, Any]) -> Iterable[Signal]:
        """Vectorised: the loop runs over hits only."""
        closes = batch.closes(self.lookback + 2)
        warm = batch.warm(self.lookback + 2)
        start, now = np.where(warm[:, None], closes[:, :2], 1), closes[:, -2:]
        rise = (now - start) * 100 / start
        up = (rise[:, 1] >= self.threshold) & (rise[:, 0] < self.threshold)
        over = rise[:, 1] <= 0
        found: list[Signal] = []
        for i in np.flatnonzero((up | over) & warm).tolist():
            code = batch.codes[i]
            reason = f"{rise[i, 1]:+.2f} % over {self.lookback}"
            if over[i]:
                if account.volume(code) > 0:
                    found.append(Signal(code, SELL, int(batch.ts[i]), reason))
            elif account.volume(code) == 0 and account.pending(code) == 0:
                found.append(Signal(code, BUY, int(batch.ts[i]), reason))
        return found
