"""ATRSizer: the more a code moves, the less of it is bought."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec

from ginkgo_streams.domain.bars import BarInterval, Need
from ginkgo_streams.domain.component import Kind, Proposal
from ginkgo_streams.domain.indicators import atr

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account


class ATRParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    risk_ratio: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="of the total value that a move of one average true range costs: 0.01 is 1 %")
    ] = 0.01
    period: Annotated[int, msgspec.Meta(ge=1, le=250, description="bars in the average true range")] = 14
    interval: Annotated[BarInterval, msgspec.Meta(description="length of the bars: 1m, 5m or 1d")] = "1d"


class ATRSizer:
    """risk_ratio × total value / average true range of the last `period` complete bars (their mean: TA-Lib's first value of an ATR), and
    never more than the total value buys with fees. While fewer bars are known nothing is bought ("below_lot")."""

    kind: Kind = "sizer"
    component_id = "atr_sizer_uuid"
    Params = ATRParams

    def __init__(self, params: ATRParams) -> None:
        self.params = params

    def needs(self) -> Iterable[Need]:
        """High, low and close of the bars, and of the one before them."""
        return [Need(self.params.interval, self.params.period + 1, ("high", "low", "close"))]

    def volume(self, proposal: Proposal, account: Account) -> int:
        """Shares."""
        k = self.params.period + 1
        bars = account.bars(self.params.interval, [proposal.code])
        if not bars.warm(k, "low")[0]:
            return 0
        high, low, close = (bars.last(field, k) for field in ("high", "low", "close"))
        move = float(atr(high, low, close, self.params.period)[0, -1])
        total = account.total_value()
        most = proposal.affordable(total, total // proposal.limit)
        return min(int(total * self.params.risk_ratio / move), most) if move > 0 else most
