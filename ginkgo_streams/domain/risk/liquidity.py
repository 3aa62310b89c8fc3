"""LiquidityRisk: no order is large against what is traded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from ginkgo_streams.domain.bars import Need
from ginkgo_streams.domain.component import Kind, Proposal, Verdict

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class LiquidityParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    max_share: Annotated[float, msgspec.Meta(gt=0, le=1, description="most of a day's volume in one order, a ratio: 0.05 is 5 %")] = 0.05
    window: Annotated[int, msgspec.Meta(ge=1, le=250, description="complete trading days whose volumes are averaged")] = 5


class LiquidityRisk:
    """Cuts an order to `max_share` of the mean volume of the last `window` days, or of those known where they are fewer.

    Where no day is known it blocks buys. What risk managers force passes.
    """

    kind: Kind = "risk"
    component_id = "liquidity_risk_uuid"
    Params = LiquidityParams

    def __init__(self, params: LiquidityParams) -> None:
        self.params = params

    def needs(self) -> Iterable[Need]:
        """Daily volumes."""
        return [Need("1d", self.params.window, ("volume",))]

    def check(self, proposal: Proposal, account: Account, memo: dict[str, Any]) -> Verdict:
        """Resizes."""
        if proposal.forced:
            return Verdict(proposal.volume)
        days = account.bars("1d", [proposal.code])
        known = min(int(days.held("volume")[0]), self.params.window)
        if known == 0:
            volume = 0 if proposal.opens else proposal.volume
            return Verdict(volume, f"no daily volume of {proposal.code} is known yet")
        mean = int(days.last("volume", self.params.window)[0, -known:].sum()) // known
        room = int(mean * self.params.max_share)
        if room >= proposal.volume:
            return Verdict(proposal.volume)
        return Verdict(room, f"{proposal.volume} shares are more than {self.params.max_share:.1%} of the {mean} traded a day")
