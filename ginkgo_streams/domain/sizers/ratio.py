"""RatioSizer: every buy may cost a share of the portfolio's total value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from ginkgo_streams.domain.component import Kind, Proposal

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class RatioParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    ratio: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="of the total value that one buy may cost, fees included: 0.1 is 10 %")
    ] = 0.1


class RatioSizer:
    """The largest volume whose cost at the limit price, with all fees, stays within `ratio` of cash, frozen cash and positions."""

    kind: Kind = "sizer"
    component_id = "ratio_sizer_uuid"
    Params = RatioParams

    def __init__(self, params: RatioParams) -> None:
        self.ratio = params.ratio

    def volume(self, proposal: Proposal, account: Account) -> int:
        """Shares."""
        budget = int(account.total_value() * self.ratio)
        return proposal.affordable(budget, budget // proposal.limit)
