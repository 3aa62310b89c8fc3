"""MeanReversionStrategy: buy what has fallen far below its mean, sell when it is back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.component import NEAR, Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.indicators import zscore
from ginkgo_streams.domain.strategies.interval import IntervalParam

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account
    from ginkgo_streams.domain.batch import Batch


PART = 1_000_000
"""Values of windows that are looked at at a time."""


class MeanReversionParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters, in values of the interval."""

    period: Annotated[int, msgspec.Meta(ge=2, le=999, description="closes in mean and standard deviation")] = 20
    entry_z: Annotated[float, msgspec.Meta(gt=0, le=10, description="standard deviations below the mean at which it buys")] = 2.0
    exit_z: Annotated[float, msgspec.Meta(ge=0, le=10, description="standard deviations below the mean from which on it sells")] = 0.5
    interval: IntervalParam = "tick"

    def __post_init__(self) -> None:
        if self.exit_z >= self.entry_z:
            raise ValueError(f"exit_z = {self.exit_z:g} must be less than entry_z = {self.entry_z:g}")


class MeanReversionStrategy:
    """z is the distance of the close from the mean of the last `period` closes (the newest included) in their standard deviations.

    Buys what is flat when z falls to -entry_z or below, once a fall; sells what is held while z is -exit_z or above.
    """

    kind: Kind = "strategy"
    component_id = "mean_reversion_strategy_uuid"
    Params = MeanReversionParams

    def __init__(self, params: MeanReversionParams) -> None:
        self.period = params.period
        self.entry, self.exit = params.entry_z, params.exit_z
        self.interval = params.interval

    def history(self) -> int:
        """One more than the mean: a fall compares with the close before."""
        return self.period + 1

    def prospects(self, closes: NDArray[np.int64], volumes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Every fall to the entry, and every close that is back; by parts, as each takes a copy of all its windows."""
        z = np.zeros(len(closes))
        step = max(PART // self.period, 1)
        for start in range(self.period - 1, len(closes), step):
            z[start : start + step] = zscore(closes[None, start - self.period + 1 : start + step], self.period)[0, self.period - 1 :]
        warm = np.arange(len(closes)) >= self.period
        before = np.concatenate(([0.0], z[:-1]))
        return warm & (z <= -self.entry + NEAR) & (before > -self.entry - NEAR), warm & (z >= -self.exit - NEAR)

    def signals(self, batch: Batch, account: Account, state: dict[str, Any]) -> Iterable[Signal]:
        """Vectorised: the loop runs over hits only."""
        z = zscore(batch.closes(self.period + 1), self.period)
        before, now = z[:, -2], z[:, -1]
        fell, back = (now <= -self.entry) & (before > -self.entry), now >= -self.exit
        found: list[Signal] = []
        for i in np.flatnonzero((fell | back) & batch.warm(self.period + 1)).tolist():
            code = batch.codes[i]
            if back[i]:
                if account.volume(code) > 0:
                    found.append(Signal(code, SELL, int(batch.ts[i]), f"z of {now[i]:.2f} is back at {-self.exit:g}"))
            elif account.volume(code) == 0 and account.pending(code) == 0:
                found.append(Signal(code, BUY, int(batch.ts[i]), f"z of {now[i]:.2f} fell to {-self.entry:g}"))
        return found
