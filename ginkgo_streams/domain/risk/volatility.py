"""VolatilityRisk: nothing is bought that moves too much."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from ginkgo_streams.domain.bars import Need
from ginkgo_streams.domain.component import Kind, Proposal, Verdict
from ginkgo_streams.domain.indicators import returns

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account

DAYS_A_YEAR = 252
"""Trading days by which a daily volatility becomes a yearly one."""


class VolatilityParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    window: Annotated[int, msgspec.Meta(ge=2, le=500, description="daily returns that are looked at")] = 20
    max_volatility: Annotated[
        float, msgspec.Meta(gt=0, le=1000, description="most volatility of a code that is bought, percent a year")
    ] = 60.0


class VolatilityRisk:
    """Blocks buys of a code whose daily returns of the last `window` complete days have a sample standard deviation, times the root of
    252, above `max_volatility` percent; and while fewer days are known."""

    kind: Kind = "risk"
    component_id = "volatility_risk_uuid"
    Params = VolatilityParams

    def __init__(self, params: VolatilityParams) -> None:
        self.params = params

    def needs(self) -> Iterable[Need]:
        """One close more than returns."""
        return [Need("1d", self.params.window + 1)]

    def check(self, proposal: Proposal, account: Account, memo: dict[str, Any]) -> Verdict:
        """Blocks buys."""
        if not proposal.opens:
            return Verdict(proposal.volume)
        needed = self.params.window + 1
        days = account.bars("1d", [proposal.code])
        if not days.warm(needed)[0]:
            return Verdict(0, f"{int(days.held()[0])} of {needed} daily closes of {proposal.code} are known yet")
        found = float(returns(days.last("close", needed)).std(ddof=1)) * DAYS_A_YEAR**0.5 * 100
        if found <= self.params.max_volatility:
            return Verdict(proposal.volume)
        return Verdict(0, f"volatility of {proposal.code} is {found:.1f} % a year, the most is {self.params.max_volatility:g} %")
