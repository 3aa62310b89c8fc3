"""ProfitTargetRisk: takes profit at a target, at once or trailing behind the peak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.component import NEAR, Held, Kind, Signal
from ginkgo_streams.domain.events import SELL, CorporateAction


class ProfitTargetParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    profit_target: Annotated[float, msgspec.Meta(gt=0, le=10_000, description="gain on cost that takes profit, percent")] = 20.0
    trailing_percent: Annotated[
        float, msgspec.Meta(ge=0, lt=100, description="percent below the peak at which it sells once the target was reached; 0: at once")
    ] = 0.0
    partial_ratio: Annotated[float, msgspec.Meta(gt=0, le=1, description="share of the position to sell, 0 to 1")] = 1.0


class ProfitTargetRisk:
    """Forces a sell once the gain reaches `profit_target` percent (trailing: once the price then falls from its peak).

    A part is sold once: not again while the position is smaller than it was then.
    """

    kind: Kind = "risk"
    component_id = "profit_target_risk_uuid"
    Params = ProfitTargetParams

    def __init__(self, params: ProfitTargetParams) -> None:
        self.target = params.profit_target
        self.trailing = params.trailing_percent
        self.part = params.partial_ratio

    def force(self, held: Held, memo: dict[str, Any]) -> Signal | None:
        """Take profit. `memo`: peak (units; of a short the bottom) since the target was reached, and the volume of which a part was
        closed."""
        volume = abs(held.volume)
        if volume < memo.get("sold_of", 0):
            return None
        reason = self._reason(held, memo)
        if reason is None:
            return None
        if self.part < 1:
            memo["sold_of"] = volume
        return Signal(held.code, SELL, held.ts, reason, 0 if self.part == 1 else min(held.available, max(int(volume * self.part), 1)))

    def restate(self, memo: dict[str, Any], action: CorporateAction) -> None:
        """The peak falls as the price does; the part that was sold is counted in the shares there are now."""
        if "peak" in memo:
            memo["peak"] = action.price(memo["peak"])
        if "sold_of" in memo:
            memo["sold_of"] = action.volume(memo["sold_of"])

    def force_prospects(self, held: Held, prices: NDArray[np.int64], memo: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Where the gain comes near the target; everywhere once there is a peak to trail behind; nowhere once a part was sold."""
        if held.volume < memo.get("sold_of", 0):
            return np.zeros(len(prices), np.bool_)
        if "peak" in memo:
            return np.ones(len(prices), np.bool_)
        return np.asarray(held.gains_percent(prices) >= self.target - NEAR, np.bool_)

    def _reason(self, held: Held, memo: dict[str, Any]) -> str | None:
        reached = held.gain_percent >= self.target
        if self.trailing == 0:
            return f"gain of {held.gain_percent:.2f} % reaches the target of {self.target:g} %" if reached else None
        if reached or "peak" in memo:
            peak = memo.get("peak", held.price)
            memo["peak"] = min(peak, held.price) if held.volume < 0 else max(peak, held.price)
        if "peak" not in memo:
            return None
        if held.volume < 0:
            if held.price * 100 < memo["peak"] * (100 + self.trailing):
                return None
            return f"{self.trailing:g} % above the bottom after a gain of {self.target:g} %"
        if held.price * 100 > memo["peak"] * (100 - self.trailing):
            return None
        return f"{self.trailing:g} % below the peak after a gain of {self.target:g} %"
