"""Snapshots to store."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec

from ginkgo_streams.messages import PositionView, Snapshot

CREATED = {"timestamp": "2026-11-24T01:30:00.000Z", "from": "created", "to": "running", "reason": "start", "node_id": "n1"}


def snapshot(portfolio_id: str = "", *, epoch: int = 1, seq: int = 1, **changes: Any) -> Snapshot:
    """A running portfolio with one position."""
    portfolio_id = portfolio_id or str(uuid4())
    position = PositionView(
        code="000001.SZ", direction=1, volume=1000, available_volume=0, cost_price=10.5051, current_price=10.6, market_value=10600,
        profit_loss=94.895,
    )  # fmt: skip
    base = Snapshot(
        portfolio_id=portfolio_id, epoch=epoch, seq=seq, node_id="n1", slot=3, name=f"name of {portfolio_id}", user_id="u1",
        status="running", config={"strategy": {}}, version=1, initial_cash=100000, cash=89494.8949, frozen=0, total_value=100094.8949,
        fees=5.1051, positions=[position], open_orders=[], orders=1, fills=1, drops={}, transitions=[CREATED], history=[],
        created_at="2026-11-24T01:29:00.000Z", updated_at="2026-11-24T01:31:00.000Z",
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)
