"""TrendFollowStrategy: buy at the golden cross of two moving averages, sell at the death cross."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.strategies.interval import IntervalParam

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account
    from ginkgo_streams.domain.batch import Batch


class TrendFollowParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters, in values of the interval."""

    short_period: Annotated[int, msgspec.Meta(ge=1, le=1000, description="closes in the short moving average")] = 5
    long_period: Annotated[int, msgspec.Meta(ge=2, le=1000, description="closes in the long moving average")] = 20
    interval: IntervalParam = "tick"

    def __post_init__(self) -> None:
        if self.short_period >= self.long_period:
            raise ValueError(f"short_period = {self.short_period} must be less than long_period = {self.long_period}")


class TrendFollowStrategy:
    """A golden cross (short average rises above the long) buys where the code is flat: one entry a cross, it never adds to a
    position. A death cross (falls below it) sells what is available. Averages are of the last closes, the newest included."""

    kind: Kind = "strategy"
    component_id = "trend_follow_strategy_uuid"
    Params = TrendFollowParams

    def __init__(self, params: TrendFollowParams) -> None:
        self.short = params.short_period
        self.long = params.long_period
        self.interval = params.interval

    def history(self) -> int:
        """One more than the long average: a cross compares with the update before."""
        return self.long + 1

    def prospects(self, closes: NDArray[np.int64], volumes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Every golden and every death cross."""
        sums = np.concatenate(([0], np.cumsum(closes)))
        spread = np.zeros(len(closes), np.int64)
        long, short = self.long, self.short
        spread[long - 1 :] = (sums[long:] - sums[long - short : len(closes) + 1 - short]) * long - (sums[long:] - sums[:-long]) * short
        before = np.concatenate(([0], spread[:-1]))
        warm = np.arange(len(closes)) >= long
        return warm & (spread > 0) & (before <= 0), warm & (spread < 0) & (before >= 0)

    def signals(self, batch: Batch, account: Account, state: dict[str, Any]) -> Iterable[Signal]:
        """Sums are compared crosswise in integers, so equal averages are exactly equal."""
        closes = batch.closes(self.long + 1)
        short, long = self.short, self.long
        long_sum = closes[:, 1:].sum(axis=1)
        short_sum = closes[:, long + 1 - short :].sum(axis=1)
        last, short_left, long_left = closes[:, long], closes[:, long - short], closes[:, 0]
        now = short_sum * long - long_sum * short
        before = (short_sum - last + short_left) * long - (long_sum - last + long_left) * short
        crossed = ((now > 0) & (before <= 0)) | ((now < 0) & (before >= 0))
        crossed &= batch.warm(self.long + 1)
        found: list[Signal] = []
        for i in np.flatnonzero(crossed).tolist():
            code = batch.codes[i]
            if now[i] > 0:
                if account.volume(code) == 0 and account.pending(code) == 0:
                    found.append(Signal(code, BUY, int(batch.ts[i]), f"golden cross {short}/{long}"))
            elif account.volume(code) > 0:
                found.append(Signal(code, SELL, int(batch.ts[i]), f"death cross {short}/{long}"))
        return found
