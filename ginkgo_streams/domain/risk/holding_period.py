"""HoldingPeriodRisk: no position grows old."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.component import Held, Kind, Signal
from ginkgo_streams.domain.events import SELL


class HoldingPeriodParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    max_days: Annotated[int, msgspec.Meta(ge=1, le=10_000, description="trading days after the first purchase on which it is sold")] = 20


class HoldingPeriodRisk:
    """Forces a sell of all that is available on the `max_days`-th trading day behind the day on which the position was opened."""

    kind: Kind = "risk"
    component_id = "holding_period_risk_uuid"
    Params = HoldingPeriodParams

    def __init__(self, params: HoldingPeriodParams) -> None:
        self.max_days = params.max_days

    def force(self, held: Held, memo: dict[str, Any]) -> Signal | None:
        """Sells by age."""
        if held.days < self.max_days:
            return None
        return Signal(held.code, SELL, held.ts, f"held for {held.days} trading days, the most is {self.max_days}")

    def force_prospects(self, held: Held, prices: NDArray[np.int64], memo: Mapping[str, Any]) -> NDArray[np.bool_]:
        """The whole day, or nothing of it."""
        return np.full(len(prices), held.days >= self.max_days, np.bool_)
