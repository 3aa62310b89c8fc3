"""TurnoverSelector: the codes with the greatest amount traded, chosen anew each trading day."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from ginkgo_streams.domain.bars import History, Need
from ginkgo_streams.domain.component import Kind
from ginkgo_streams.domain.ranking import most_traded
from ginkgo_streams.domain.selectors.fixed import Code


class TurnoverSelectorParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    lookback: Annotated[int, msgspec.Meta(ge=1, le=250, description="trading days whose amounts are added")] = 1
    top_n: Annotated[int, msgspec.Meta(ge=1, le=200, description="codes to choose")] = 50
    codes: Annotated[tuple[Code, ...], msgspec.Meta(description="codes to choose from; none: all that have a price")] = ()


class TurnoverSelector:
    """Watches the `top_n` codes of which most CNY were traded over the last `lookback` complete days before today, of equals the code that
    sorts first; what is held is watched, too. A code without that many days is not chosen."""

    kind: Kind = "selector"
    component_id = "turnover_selector_uuid"
    Params = TurnoverSelectorParams

    def __init__(self, params: TurnoverSelectorParams) -> None:
        self.params = params

    def codes(self) -> tuple[str, ...] | None:
        """The codes to choose from, sorted."""
        return tuple(sorted(set(self.params.codes))) or None

    def needs(self) -> Iterable[Need]:
        """Amounts of the days."""
        return [Need("1d", self.params.lookback, ("amount",))]

    def select(self, market: History) -> Iterable[str]:
        """The choice of a day."""
        return most_traded(market, self.params.lookback, self.params.top_n)
