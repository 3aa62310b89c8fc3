"""CapitalRisk: some cash is never spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from ginkgo_streams.domain.component import Kind, Proposal, Verdict
from ginkgo_streams.domain.events import UNIT

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class CapitalParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    min_cash: Annotated[float, msgspec.Meta(ge=0, le=1e12, description="CNY of free cash that no buy takes")] = 10_000.0


class CapitalRisk:
    """Cuts a buy so that with its limit price and all fees `min_cash` CNY of free cash are left."""

    kind: Kind = "risk"
    component_id = "capital_risk_uuid"
    Params = CapitalParams

    def __init__(self, params: CapitalParams) -> None:
        self.min_cash = params.min_cash
        self.kept = round(params.min_cash * UNIT)

    def check(self, proposal: Proposal, account: Account, memo: dict[str, Any]) -> Verdict:
        """Resizes buys."""
        if not proposal.opens:
            return Verdict(proposal.volume)
        room = proposal.affordable(max(account.buying_power - self.kept, 0), proposal.volume)
        if room >= proposal.volume:
            return Verdict(proposal.volume)
        return Verdict(room, f"{proposal.volume} shares would leave less than {self.min_cash:.2f} CNY of cash")
