"""LossLimitRisk: sells a position that has lost more than a percentage of its cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.component import NEAR, Held, Kind, Signal
from ginkgo_streams.domain.events import SELL


class LossLimitParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    loss_limit: Annotated[float, msgspec.Meta(gt=0, le=100, description="loss on cost that closes a position, percent: 10 is 10 %")] = 10.0


class LossLimitRisk:
    """Forces a sell of all that is available once the loss on cost reaches `loss_limit` percent."""

    kind: Kind = "risk"
    component_id = "loss_limit_risk_uuid"
    Params = LossLimitParams

    def __init__(self, params: LossLimitParams) -> None:
        self.limit = params.loss_limit

    def force(self, held: Held, memo: dict[str, Any]) -> Signal | None:
        """Stop loss."""
        if held.gain_percent > -self.limit:
            return None
        return Signal(held.code, SELL, held.ts, f"loss of {-held.gain_percent:.2f} % reaches the limit of {self.limit:g} %")

    def force_prospects(self, held: Held, prices: NDArray[np.int64], memo: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Where the loss comes near the limit."""
        return np.asarray(held.gains_percent(prices) <= -self.limit + NEAR, np.bool_)
