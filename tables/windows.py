"""Table `windows`: chunk of codes -> last prices and price windows of those codes, shared by the portfolios of a slot.

Market data, not state of a portfolio: written at checkpoints only, chunks that changed only; what came after the
last checkpoint is read again from the ticks. Partitioned by slot.
"""

from __future__ import annotations

from ginkgo_streams.engine.app import EngineApp
from ginkgo_streams.engine.table import FencedTable
from ginkgo_streams.slots.portfolios import WINDOWS


def windows(app: EngineApp, slots: int) -> FencedTable:
    """Declare it."""
    return app.fenced_table(WINDOWS, slots)
