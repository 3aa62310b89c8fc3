"""CorrelationRisk: nothing is bought that moves like something held."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from ginkgo_streams.domain.bars import Need
from ginkgo_streams.domain.component import Kind, Proposal, Verdict
from ginkgo_streams.domain.indicators import correlation, returns

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class CorrelationParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    window: Annotated[int, msgspec.Meta(ge=3, le=500, description="daily returns that are compared")] = 60
    max_correlation: Annotated[float, msgspec.Meta(ge=-1, le=1, description="most correlation with a code held, -1 to 1")] = 0.8


class CorrelationRisk:
    """Blocks buys of a code whose daily returns of the last `window` complete days have a correlation above `max_correlation` with those
    of another code that is held or being bought; and while fewer days of either are known. The n-th last days of both are compared."""

    kind: Kind = "risk"
    component_id = "correlation_risk_uuid"
    Params = CorrelationParams

    def __init__(self, params: CorrelationParams) -> None:
        self.params = params

    def needs(self) -> Iterable[Need]:
        """One close more than returns."""
        return [Need("1d", self.params.window + 1)]

    def check(self, proposal: Proposal, account: Account, memo: dict[str, Any]) -> Verdict:
        """Blocks buys."""
        others = [code for code in account.engaged if code != proposal.code]
        if not proposal.opens or not others:
            return Verdict(proposal.volume)
        needed = self.params.window + 1
        days = account.bars("1d", [proposal.code, *others])
        warm = days.warm(needed)
        if not warm.all():
            code = days.codes[int(np.argmin(warm))]
            return Verdict(0, f"{int(days.held()[np.argmin(warm)])} of {needed} daily closes of {code} are known yet")
        moves = returns(days.last("close", needed))
        found = correlation(np.broadcast_to(moves[0], moves[1:].shape), moves[1:], self.params.window)[:, -1]
        worst = int(np.argmax(found))
        if found[worst] <= self.params.max_correlation:
            return Verdict(proposal.volume)
        reason = f"{proposal.code} has a correlation of {found[worst]:.2f} with {days.codes[worst + 1]}"
        return Verdict(0, f"{reason}, the most is {self.params.max_correlation:g}")
