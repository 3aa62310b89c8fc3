"""CrossSectionalMomentumStrategy: hold those that have risen most."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from ginkgo_streams.domain.bars import Need
from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.ranking import strongest

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account
    from ginkgo_streams.domain.batch import Batch


class CrossSectionalMomentumParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    lookback: Annotated[int, msgspec.Meta(ge=1, le=500, description="trading days over which the rise is counted")] = 20
    top_n: Annotated[int, msgspec.Meta(ge=1, le=200, description="codes to hold")] = 10
    rebalance_days: Annotated[int, msgspec.Meta(ge=1, le=250, description="trading days from one ranking to the next")] = 5


class CrossSectionalMomentumStrategy:
    """With the first update of every `rebalance_days`-th trading day it ranks all watched codes by their rise over the last `lookback`
    complete days before it. Each of the first `top_n` is bought once, at its own next update, where it is flat; what is held and not
    among them is sold. A code without the whole history is not ranked; where none has it, the next day is tried."""

    kind: Kind = "strategy"
    component_id = "cross_sectional_momentum_strategy_uuid"
    Params = CrossSectionalMomentumParams

    def __init__(self, params: CrossSectionalMomentumParams) -> None:
        self.params = params

    def history(self) -> int:
        """Of updates the newest alone."""
        return 1

    def needs(self) -> Iterable[Need]:
        """Closes of the days."""
        return [Need("1d", self.params.lookback + 1)]

    def signals(self, batch: Batch, account: Account, state: dict[str, Any]) -> Iterable[Signal]:
        """`state`: day of the last ranking and of the last batch, days gone since the ranking, its codes, and those still to buy."""
        if state.get("today") != account.today:
            state["today"] = account.today
            state["gone"] = state.get("gone", self.params.rebalance_days) + 1
            if state["gone"] > self.params.rebalance_days:
                self._rank(account, state)
        if "chosen" not in state:
            return []
        found: list[Signal] = []
        for code in [code for code in state["to_buy"] if code in batch.place]:
            state["to_buy"].remove(code)
            if account.volume(code) == 0 and account.pending(code) == 0:
                found.append(Signal(code, BUY, int(batch.ts[batch.place[code]]), f"among the {self.params.top_n} strongest"))
        for code in account.codes:
            if code in batch.place and code not in state["chosen"] and account.available(code) > 0:
                found.append(Signal(code, SELL, int(batch.ts[batch.place[code]]), f"no longer among the {self.params.top_n} strongest"))
        return found

    def _rank(self, account: Account, state: dict[str, Any]) -> None:
        chosen = strongest(account.universe(), self.params.lookback, self.params.top_n)
        if chosen:
            state["gone"] = 1
            state["chosen"], state["to_buy"] = chosen, list(chosen)
