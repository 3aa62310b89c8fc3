"""SuspensionRisk: no orders for a code that is not traded today."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from ginkgo_streams.domain.bars import Need
from ginkgo_streams.domain.component import Kind, Proposal, Verdict

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class SuspensionParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """It has no parameters."""


class SuspensionRisk:
    """Blocks orders for a code that has no update of the trading day of the event, or of which no share was traded on it: data vendors
    give a suspended code either no bars, or bars without volume. It needs a feed that gives volumes."""

    kind: Kind = "risk"
    component_id = "suspension_risk_uuid"
    Params = SuspensionParams

    def __init__(self, params: SuspensionParams) -> None:
        pass

    def needs(self) -> Iterable[Need]:
        """The volume of the day."""
        return [Need("1d", 1, ("volume",))]

    def check(self, proposal: Proposal, account: Account, memo: dict[str, Any]) -> Verdict:
        """Blocks orders of both sides."""
        if account.quoted_day(proposal.code) < account.today:
            return Verdict(0, f"{proposal.code} has no price today: it seems to be suspended")
        if account.volume_today(proposal.code) == 0:
            return Verdict(0, f"no share of {proposal.code} was traded today: it seems to be suspended")
        return Verdict(proposal.volume)
