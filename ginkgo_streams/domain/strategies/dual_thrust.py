"""DualThrustStrategy: buy a break out of the range of the last days, measured from the open of the day."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from ginkgo_streams.domain.bars import Need
from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account
    from ginkgo_streams.domain.batch import Batch


class DualThrustParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    lookback_days: Annotated[int, msgspec.Meta(ge=1, le=250, description="complete trading days of the range")] = 4
    k1: Annotated[float, msgspec.Meta(gt=0, le=10, description="ranges above the open at which it buys")] = 0.5
    k2: Annotated[float, msgspec.Meta(gt=0, le=10, description="ranges below the open at which it sells")] = 0.5


class DualThrustStrategy:
    """The range is the greater of highest high - lowest close and highest close - lowest low of the last `lookback_days` days (M. Chalek).

    At each update: buys what is flat when the price is above the day's open + k1 ranges, once a day and code; sells what is held when
    it is below the open - k2 ranges. The day itself is not in its range.
    """

    kind: Kind = "strategy"
    component_id = "dual_thrust_strategy_uuid"
    Params = DualThrustParams

    def __init__(self, params: DualThrustParams) -> None:
        self.days = params.lookback_days
        self.k1, self.k2 = params.k1, params.k2

    def history(self) -> int:
        """Of updates the newest alone."""
        return 1

    def needs(self) -> Iterable[Need]:
        """High, low and close of the days."""
        return [Need("1d", self.days, ("high", "low", "close"))]

    def signals(self, batch: Batch, account: Account, state: dict[str, Any]) -> Iterable[Signal]:
        """`state`: the day, and the codes bought on it."""
        days = batch.previous("1d")
        high, low, close = (days.last(field, self.days) for field in ("high", "low", "close"))
        spread = np.maximum(high.max(axis=1) - close.min(axis=1), close.max(axis=1) - low.min(axis=1))
        first = batch.current("1d", "open")
        above, below = batch.price > first + self.k1 * spread, batch.price < first - self.k2 * spread
        if state.get("day") != account.today:
            state.clear()
        found: list[Signal] = []
        for i in np.flatnonzero((above | below) & days.warm(self.days, "low")).tolist():
            code = batch.codes[i]
            if below[i]:
                if account.volume(code) > 0:
                    found.append(Signal(code, SELL, int(batch.ts[i]), f"{self.k2:g} ranges below the open"))
            elif account.volume(code) == 0 and account.pending(code) == 0 and code not in state.get("bought", ()):
                state["day"] = account.today
                state.setdefault("bought", []).append(code)
                found.append(Signal(code, BUY, int(batch.ts[i]), f"{self.k1:g} ranges above the open"))
        return found
