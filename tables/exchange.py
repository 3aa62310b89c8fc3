"""Table `exchange`: "o:<order id>" -> an order with every report given so far; "c:<code>" -> the small state of a code; "clock"; "halts" ->
the newest change of each target of the kill switch.

Written by livecore's simulated exchange: an order before its reports are visible, a code's state at checkpoints.
Partitioned by code, as the market data.
"""

from __future__ import annotations

from ginkgo_streams.engine.app import EngineApp
from ginkgo_streams.engine.table import FencedTable
from ginkgo_streams.slots.exchange import EXCHANGE


def exchange(app: EngineApp, market_partitions: int) -> FencedTable:
    """Declare it."""
    return app.fenced_table(EXCHANGE, market_partitions)
