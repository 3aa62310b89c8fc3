"""PriceLimitRisk: no buy at limit up (nothing is offered), no sell at limit down (nobody bids)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ginkgo_streams.domain.component import Kind, Proposal, Verdict
from ginkgo_streams.domain.events import BUY

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class PriceLimitParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """It has no parameters: the limits are the market's."""


class PriceLimitRisk:
    """Blocks orders that cannot fill at the day's price limits."""

    kind: Kind = "risk"
    component_id = "price_limit_risk_uuid"
    Params = PriceLimitParams

    def __init__(self, params: PriceLimitParams) -> None:
        pass

    def check(self, proposal: Proposal, account: Account, memo: dict[str, Any]) -> Verdict:
        """Blocks at the limits."""
        if proposal.direction == BUY and proposal.high and proposal.price >= proposal.high:
            return Verdict(0, f"{proposal.code} is at limit up: nothing is offered")
        if proposal.direction != BUY and proposal.low and proposal.price <= proposal.low:
            return Verdict(0, f"{proposal.code} is at limit down: nobody bids")
        return Verdict(proposal.volume)
