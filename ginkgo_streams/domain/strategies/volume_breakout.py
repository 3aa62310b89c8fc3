"""VolumeBreakoutStrategy: buy a new high on a great volume."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ginkgo_streams.domain.bars import Need
from ginkgo_streams.domain.component import NEAR, Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.strategies.interval import IntervalParam

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account
    from ginkgo_streams.domain.batch import Batch


class VolumeBreakoutParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters, in values of the interval."""

    period: Annotated[int, msgspec.Meta(ge=1, le=500, description="closes and volumes before the newest that it is compared with")] = 20
    multiple: Annotated[float, msgspec.Meta(gt=0, le=1000, description="times the mean volume that buys")] = 2.0
    interval: IntervalParam = "tick"


class VolumeBreakoutStrategy:
    """Buys what is flat when the volume is at least `multiple` times the mean of the `period` before and the close is above all of
    theirs; sells what is held when the close is below the mean of the `period` closes before."""

    kind: Kind = "strategy"
    component_id = "volume_breakout_strategy_uuid"
    Params = VolumeBreakoutParams

    def __init__(self, params: VolumeBreakoutParams) -> None:
        self.period = params.period
        self.multiple = params.multiple
        self.interval = params.interval

    def history(self) -> int:
        """The newest and those before it."""
        return self.period + 1

    def needs(self) -> Iterable[Need]:
        """As many volumes."""
        return [Need(self.interval, self.period + 1, ("volume",))]

    def prospects(self, closes: NDArray[np.int64], volumes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Every new high on a great volume, and every close below its mean."""
        k = self.period
        enter, leave = np.zeros(len(closes), np.bool_), np.zeros(len(closes), np.bool_)
        if len(closes) > k:
            total, sold = (np.cumsum(each) for each in (closes - closes[0], volumes))
            total, sold = (x[k - 1 : -1] - np.concatenate(([0], x[: -k - 1])) for x in (total, sold))
            high = closes[k:] > sliding_window_view(closes[:-1], k).max(axis=1)
            enter[k:] = high & (sold > 0) & (volumes[k:] * k >= self.multiple * sold * (1 - NEAR))
            leave[k:] = (closes[k:] - closes[0]) * k < total
        return enter, leave

    def signals(self, batch: Batch, account: Account, state: dict[str, Any]) -> Iterable[Signal]:
        """Sums are compared crosswise, so equal ones are equal."""
        k = self.period + 1
        closes, volumes = batch.closes(k), batch.last("volume", k)
        before = volumes[:, :-1].sum(axis=1)
        great = (before > 0) & (volumes[:, -1] * self.period >= self.multiple * before)
        high = closes[:, -1] > closes[:, :-1].max(axis=1)
        low = closes[:, -1] * self.period < closes[:, :-1].sum(axis=1)
        found: list[Signal] = []
        for i in np.flatnonzero(((great & high) | low) & batch.warm(k) & batch.warm(k, "volume")).tolist():
            code = batch.codes[i]
            if low[i]:
                if account.volume(code) > 0:
                    found.append(Signal(code, SELL, int(batch.ts[i]), f"below the mean of {self.period}"))
            elif account.volume(code) == 0 and account.pending(code) == 0:
                times = volumes[i, -1] * self.period / before[i]
                found.append(Signal(code, BUY, int(batch.ts[i]), f"highest of {self.period} on {times:.1f} times the volume"))
        return found
