"""MaxDrawdownRisk: the less the portfolio dares, the further its value has fallen from its peak."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.component import NEAR, Kind, Proposal, Signal, Verdict
from ginkgo_streams.domain.events import SELL

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class MaxDrawdownParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters: the fall of the total value from its peak, percent."""

    warning_drawdown: Annotated[
        float, msgspec.Meta(gt=0, lt=100, description="fall from the peak that halves buys, percent: 10 is 10 %")
    ] = 10.0
    max_drawdown: Annotated[float, msgspec.Meta(gt=0, lt=100, description="fall from the peak that blocks buys, percent")] = 15.0
    critical_drawdown: Annotated[float, msgspec.Meta(gt=0, le=100, description="fall from the peak that sells everything, percent")] = 20.0

    def __post_init__(self) -> None:
        if not self.warning_drawdown <= self.max_drawdown <= self.critical_drawdown:
            raise ValueError(
                f"warning_drawdown = {self.warning_drawdown:g}, max_drawdown = {self.max_drawdown:g} and critical_drawdown = "
                f"{self.critical_drawdown:g} have to rise"
            )


class MaxDrawdownRisk:
    """Halves buys, blocks buys, sells all: by the fall of the total value from its highest since the portfolio was last started.

    Where everything was sold the value does not recover by itself: buys stay blocked until a person starts the portfolio again.
    """

    kind: Kind = "risk"
    component_id = "max_drawdown_risk_uuid"
    Params = MaxDrawdownParams

    def __init__(self, params: MaxDrawdownParams) -> None:
        self.params = params

    def watch(self, account: Account, memo: dict[str, Any]) -> Iterable[Signal]:
        """Takes note of the peak (`memo`: units); at the critical fall sells what can be sold."""
        fallen = _fallen(account, memo)
        if fallen < self.params.critical_drawdown:
            return []
        reason = f"{fallen:.2f} % below the peak: all is sold from {self.params.critical_drawdown:g} % on"
        return [Signal(code, SELL, account.ts, reason) for code in account.codes if account.available(code) > 0]

    def watch_prospects(self, values: NDArray[np.int64], memo: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Where the value is above the peak so far, or near the critical fall below it."""
        peak = memo.get("peak", 0)
        return np.asarray((values > peak) | ((peak - values) * 100 >= peak * (self.params.critical_drawdown - NEAR)), np.bool_)

    def check(self, proposal: Proposal, account: Account, memo: dict[str, Any]) -> Verdict:
        """Halves or blocks buys."""
        fallen = _fallen(account, memo)
        if not proposal.opens or fallen < self.params.warning_drawdown:
            return Verdict(proposal.volume)
        if fallen < self.params.max_drawdown:
            return Verdict(proposal.volume // 2, f"the value is {fallen:.2f} % below its peak: buys are halved")
        return Verdict(0, f"the value is {fallen:.2f} % below its peak: no buys from {self.params.max_drawdown:g} % on")


def _fallen(account: Account, memo: dict[str, Any]) -> float:
    """Percent below the peak, which `memo` keeps."""
    value = account.total_value()
    peak = memo["peak"] = max(value, memo.get("peak", 0))
    return (peak - value) * 100 / peak if peak > 0 else 0.0
