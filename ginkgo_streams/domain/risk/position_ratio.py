"""PositionRatioRisk: no code, and not all codes together, may be more than a share of the portfolio's total value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from ginkgo_streams.domain.component import Kind, Proposal, Verdict

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class PositionRatioParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters: ratios of the total value (0.2 is 20 %)."""

    max_position_ratio: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="most of the total value in one code, a ratio from 0 to 1: 0.2 is 20 %")
    ] = 0.2
    max_total_position_ratio: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="most of the total value in all positions, a ratio from 0 to 1: 0.8 is 80 %")
    ] = 0.8


class PositionRatioRisk:
    """Cuts a buy (or short sale) so that position, open orders that add to it and this order (at its limit price) stay within both ratios,
    longs and shorts counted alike."""

    kind: Kind = "risk"
    component_id = "position_ratio_risk_uuid"
    Params = PositionRatioParams

    def __init__(self, params: PositionRatioParams) -> None:
        self.one = params.max_position_ratio
        self.all = params.max_total_position_ratio

    def check(self, proposal: Proposal, account: Account, memo: dict[str, Any]) -> Verdict:
        """Resizes buys."""
        if not proposal.opens:
            return Verdict(proposal.volume)
        total = account.total_value()
        one = int(total * self.one) - account.committed(proposal.code)
        everything = int(total * self.all) - account.committed_total()
        room = max(min(one, everything), 0) // proposal.limit
        if room >= proposal.volume:
            return Verdict(proposal.volume)
        tight = f"{proposal.code} over {self.one:.0%}" if one <= everything else f"all positions over {self.all:.0%}"
        return Verdict(room, f"{proposal.volume} shares would bring {tight} of the total value")
