"""Scenario 6.7: a code without a price for five minutes is not traded on, whatever a strategy says of it."""

from __future__ import annotations

from typing import Any

import pytest

from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY
from ginkgo_streams.domain.portfolios import Portfolios
from tests.unit.domain.portfolio.desk import CODE, ID, OTHER, PROFILE, REGISTRY, Desk, config


class Elsewhere:
    """Buys OTHER at every update of CODE."""

    kind: Kind = "strategy"
    component_id = "elsewhere_uuid"

    from ginkgo_streams.domain.selectors.all import AllParams as Params

    def __init__(self, params: Any) -> None:
        pass

    def history(self) -> int:
        """It looks at none."""
        return 1

    def signals(self, batch: Any, account: Any, state: dict[str, Any]) -> list[Signal]:
        """A buy of the other code."""
        return [Signal(OTHER, BUY, int(batch.ts[batch.place[CODE]]), "elsewhere")] if CODE in batch.place else []


@pytest.mark.parametrize(("time", "orders"), [("10:04:57", 1), ("10:04:58", 0)])
def test_s6_7_signal_for_a_code_that_is_silent_is_dropped(time: str, orders: int) -> None:
    desk = Desk(opened=False)
    desk.kernel = Portfolios(PROFILE, REGISTRY.plus([Elsewhere]))
    desk.create(ID, config=config(strategy="Elsewhere"))
    desk.command("portfolio.start")
    desk.quote("09:59:57", 10.0, OTHER, prev_close=10.0)
    assert len(desk.quote(time, 10.0, prev_close=10.0).orders) == orders
    assert desk.view().drops.get("silent", 0) == 1 - orders
