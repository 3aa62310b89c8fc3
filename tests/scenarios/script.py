"""A strategy that says what the test has written down, by the time of the update: pure, so it survives a crash."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.registry import Registry, builtin
from tests.unit.domain.market.shanghai import at

DAY = "2026-11-23"
"""A Monday, where a time has no date."""
FRIDAY = "2026-11-20T10:00:00"
"""In the session before."""


def ts(time: str) -> int:
    """A time of DAY ("10:00:03"), or an ISO date and time, in Shanghai: ms."""
    return at(time if "T" in time else f"{DAY}T{time}")


class ScriptParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """plan: what to say at the update of that time, words such as "buy 000001.SZ" (or "raise"). late: ms its signals are old."""

    plan: dict[str, tuple[str, ...]] = {}
    late: int = 0


class ScriptStrategy:
    """See `ScriptParams`."""

    kind: Kind = "strategy"
    component_id = "script_strategy_uuid"
    Params = ScriptParams

    def __init__(self, params: ScriptParams) -> None:
        self.plan = {ts(time): said for time, said in params.plan.items()}
        self.late = params.late

    def history(self) -> int:
        """It looks at no prices."""
        return 1

    def signals(self, batch: Any, account: Any, state: dict[str, Any]) -> Iterable[Signal]:
        """What is planned for the time of the batch's updates, codes that are not in the batch left out."""
        for moment in sorted(set(batch.ts.tolist())):
            for said in self.plan.get(moment, ()):
                if said == "raise":
                    raise ZeroDivisionError("the script says so")
                side, code = said.split()
                if code in batch.place:
                    yield Signal(code, BUY if side == "buy" else SELL, moment - self.late, "planned")


REGISTRY: Registry = builtin.plus([ScriptStrategy])
