"""Table `gateway`: key "halts", the kill switch's changes of the targets whose commands come in this slot (`domain.halts.Switch`); the
slot's own record holds the newest claim of each portfolio slot.

Written by livecore's gateway when a command for the engine comes, or a slot of portfolios changes its owner; partitioned by slot.
"""

from __future__ import annotations

from ginkgo_streams.engine.app import EngineApp
from ginkgo_streams.engine.table import FencedTable
from ginkgo_streams.slots.gateway import GATEWAY


def gateway(app: EngineApp, slots: int) -> FencedTable:
    """Declare it."""
    return app.fenced_table(GATEWAY, slots)
