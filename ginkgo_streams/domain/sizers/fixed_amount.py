"""FixedAmountSizer: every buy may cost a fixed amount."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from ginkgo_streams.domain.component import Kind, Proposal
from ginkgo_streams.domain.events import UNIT

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class FixedAmountParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    amount: Annotated[float, msgspec.Meta(gt=0, le=1e12, description="CNY that one buy may cost at its limit price, fees included")] = (
        10_000.0
    )


class FixedAmountSizer:
    """The largest volume whose cost at the limit price, with all fees, stays within `amount` CNY."""

    kind: Kind = "sizer"
    component_id = "fixed_amount_sizer_uuid"
    Params = FixedAmountParams

    def __init__(self, params: FixedAmountParams) -> None:
        self.amount = int(params.amount * UNIT)

    def volume(self, proposal: Proposal, account: Account) -> int:
        """Shares."""
        return proposal.affordable(self.amount, self.amount // proposal.limit)
