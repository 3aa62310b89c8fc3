"""A portfolio's view as the snapshots topic carries it."""

from __future__ import annotations

from datetime import date

from ginkgo_streams import messages as m
from ginkgo_streams.domain.view import View


def snapshot(view: View, node_id: str, slot: int, epoch: int, seq: int) -> m.Snapshot:
    """The message: money in CNY, times RFC 3339."""
    n = m.number
    return m.Snapshot(
        portfolio_id=view.portfolio_id, epoch=epoch, seq=seq, node_id=node_id, slot=slot, name=view.name, user_id=view.user_id,
        status=view.status, config=view.config, version=view.version, initial_cash=n(view.initial_cash), cash=n(view.cash),
        frozen=n(view.frozen), total_value=n(view.total_value), fees=n(view.fees),
        positions=[
            m.PositionView(
                code=p.code, direction=p.direction, volume=p.volume, available_volume=p.available, cost_price=n(p.cost_price),
                current_price=n(p.current_price), market_value=n(p.market_value), profit_loss=n(p.profit_loss),
            )
            for p in view.positions
        ],
        open_orders=[
            {
                "order_id": o.order_id, "code": o.code, "direction": o.direction, "volume": o.volume, "price": n(o.limit),
                "filled_volume": o.filled, "status": o.status, "timestamp": m.iso(o.ts), "reason": o.reason,
            }
            for o in view.open_orders
        ],
        orders=view.orders, fills=view.fills,
        ledger=[
            m.LedgerLine(
                code=line.code, bought_volume=line.bought_volume, sold_volume=line.sold_volume, bought_amount=n(line.bought_amount),
                sold_amount=n(line.sold_amount), commission=n(line.commission), stamp_duty=n(line.stamp_duty),
                transfer_fee=n(line.transfer_fee),
            )
            for line in view.ledger
        ],
        drops=view.drops,
        closed_orders=[{"order_id": o.order_id, "status": o.status, "reason": o.reason} for o in view.closed_orders],
        transitions=[
            {"seq": t.seq, "timestamp": m.iso(t.ts), "from": t.from_status, "to": t.to_status, "reason": t.reason} for t in view.transitions
        ],
        versions=[
            m.VersionView(
                version=v.version, timestamp=m.iso(v.ts), issued_by=v.by, reason=v.reason,
                undo=[(step.path, step.before) for step in v.undo],
            )
            for v in view.versions
        ],
        refusals=[{"command_id": r.command_id, "reason": r.reason} for r in view.refusals],
        history=[
            {
                "date": date.fromordinal(row.day).isoformat(), "timestamp": m.iso(row.ts), "cash": n(row.cash),
                "total_value": n(row.total_value), "daily_pnl": n(row.daily_pnl), "position_count": row.position_count,
            }
            for row in view.history
        ],
        error=view.error, created_at=m.iso(view.created_at), updated_at=m.iso(view.updated_at),
    )  # fmt: skip
