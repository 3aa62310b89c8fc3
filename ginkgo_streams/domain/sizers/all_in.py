"""AllInSizer: every buy takes all free cash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ginkgo_streams.domain.component import Kind, Proposal

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class AllInParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """It has no parameters."""


class AllInSizer:
    """All that the free cash buys, fees included: at the limit price, or where the market takes market orders at the price filled at."""

    kind: Kind = "sizer"
    component_id = "all_in_sizer_uuid"
    Params = AllInParams
    by_fill_price = True
    """Of a market order the cash decides, not the volume reckoned at the last price."""

    def __init__(self, params: AllInParams) -> None:
        pass

    def volume(self, proposal: Proposal, account: Account) -> int:
        """Shares."""
        return proposal.affordable(account.buying_power, account.buying_power // proposal.limit)
