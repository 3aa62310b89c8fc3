"""TradingTimeRisk: no orders right after the open and right before the close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from ginkgo_streams.domain.component import Kind, Proposal, Verdict

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account

MINUTE = 60_000


class TradingTimeParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters: minutes of event time."""

    minutes_after_open: Annotated[
        int, msgspec.Meta(ge=0, le=330, description="minutes from the open of continuous trading (09:30) without orders")
    ] = 5
    minutes_before_close: Annotated[int, msgspec.Meta(ge=0, le=330, description="minutes before the close (15:00) without orders")] = 5


class TradingTimeRisk:
    """Blocks orders of the strategy near the open (the opening auction included) and the close of their day; not what risk managers
    force. An order from the last price of a day is good for the next day, and passes: it comes before the opening auction."""

    kind: Kind = "risk"
    component_id = "trading_time_risk_uuid"
    Params = TradingTimeParams

    def __init__(self, params: TradingTimeParams) -> None:
        self.params = params

    def check(self, proposal: Proposal, account: Account, memo: dict[str, Any]) -> Verdict:
        """Blocks by the time of the signal."""
        session = account.session()
        if session is None or proposal.forced or account.today != account.day:
            return Verdict(proposal.volume)
        opens, closes = session
        after, before = proposal.ts - opens, closes - proposal.ts
        if self.params.minutes_after_open and after < self.params.minutes_after_open * MINUTE:
            return Verdict(0, f"within {self.params.minutes_after_open} minutes of the open")
        if before < self.params.minutes_before_close * MINUTE:
            return Verdict(0, f"within {self.params.minutes_before_close} minutes of the close")
        return Verdict(proposal.volume)
