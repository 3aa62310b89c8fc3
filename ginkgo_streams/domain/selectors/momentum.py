"""MomentumSelector: the codes that have risen most, chosen anew each trading day."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from ginkgo_streams.domain.bars import History, Need
from ginkgo_streams.domain.component import Kind
from ginkgo_streams.domain.ranking import strongest
from ginkgo_streams.domain.selectors.fixed import Code


class MomentumSelectorParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters."""

    lookback: Annotated[int, msgspec.Meta(ge=1, le=500, description="trading days over which the rise is counted")] = 20
    top_n: Annotated[int, msgspec.Meta(ge=1, le=200, description="codes to choose")] = 50
    codes: Annotated[tuple[Code, ...], msgspec.Meta(description="codes to choose from; none: all that have a price")] = ()


class MomentumSelector:
    """Watches the `top_n` that have risen most over the last `lookback` complete days before today, of equals the code that sorts
    first; what is held is watched, too. A code without that many days is not chosen."""

    kind: Kind = "selector"
    component_id = "momentum_selector_uuid"
    Params = MomentumSelectorParams

    def __init__(self, params: MomentumSelectorParams) -> None:
        self.params = params

    def codes(self) -> tuple[str, ...] | None:
        """The codes to choose from, sorted."""
        return tuple(sorted(set(self.params.codes))) or None

    def needs(self) -> Iterable[Need]:
        """Closes of the days."""
        return [Need("1d", self.params.lookback + 1, ("close",))]

    def select(self, market: History) -> Iterable[str]:
        """The choice of a day."""
        return strongest(market, self.params.lookback, self.params.top_n)
