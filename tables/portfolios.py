"""Table `portfolios`: portfolio id -> its whole value (config, status, ledger, open orders, strategy and risk state), a few kB.

Written by the runner of the execution node that owns the slot, before anything it caused is visible; partitioned by
slot. The slot's own record (fences, offsets) stands in it too, under a reserved key.
"""

from __future__ import annotations

from ginkgo_streams.engine.app import EngineApp
from ginkgo_streams.engine.table import FencedTable
from ginkgo_streams.slots.portfolios import PORTFOLIOS


def portfolios(app: EngineApp, slots: int) -> FencedTable:
    """Declare it."""
    return app.fenced_table(PORTFOLIOS, slots)
