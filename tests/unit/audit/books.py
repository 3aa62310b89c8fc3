"""A small market whose books agree, written with the real messages: what the auditor's tests then spoil."""

from __future__ import annotations

from dataclasses import dataclass, field

from ginkgo_streams import messages as m
from ginkgo_streams.audit.check import AuditInput
from ginkgo_streams.audit.records import Raw

P1, P2 = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
TIME = "2026-11-24T02:00:00.000Z"
SLOT, EPOCH, SOURCE = 3, 40, 5
PING_AN, VANKE = "000001.SZ", "000002.SZ"


@dataclass
class Topics:
    """Messages by topic, in one partition each; `given` is what the auditor gets of them."""

    submissions: list[object] = field(default_factory=list)
    feedback: list[object] = field(default_factory=list)
    snapshots: list[m.Snapshot] = field(default_factory=list)

    def given(self) -> AuditInput:
        return AuditInput(
            [Raw(SLOT, offset, m.encode(message)) for offset, message in enumerate(self.submissions)],
            [Raw(SLOT, offset, m.encode(message)) for offset, message in enumerate(self.feedback)],
            [m.encode(snapshot) for snapshot in self.snapshots],
        )


def order(order_id: str, portfolio_id: str, code: str, direction: int, volume: int, price: float, epoch: int = EPOCH) -> m.OrderSubmission:
    return m.OrderSubmission(
        timestamp=TIME, order_id=order_id, portfolio_id=portfolio_id, code=code, direction=1 if direction > 0 else -1, volume=volume,
        order_type="limit", price=price, slot=SLOT, epoch=epoch,
    )  # fmt: skip


def ack(of: m.OrderSubmission, epoch: int = EPOCH) -> m.OrderAck:
    return m.OrderAck(timestamp=TIME, order_id=of.order_id, portfolio_id=of.portfolio_id, report_seq=1, slot=SOURCE, epoch=epoch)


def fill(
    of: m.OrderSubmission, seq: int, volume: int, cumulative: int, price: float, amount: float, fees: tuple[float, float, float],
    epoch: int = EPOCH,
) -> m.OrderFilled | m.OrderPartiallyFilled:  # fmt: skip
    kind = m.OrderFilled if cumulative == of.volume else m.OrderPartiallyFilled
    return kind(
        timestamp=TIME, order_id=of.order_id, portfolio_id=of.portfolio_id, report_seq=seq, trade_id=f"{of.order_id}-{seq}", code=of.code,
        direction=of.direction, filled_volume=volume, cumulative_volume=cumulative, remaining_volume=of.volume - cumulative,
        filled_price=price, filled_amount=amount, commission=fees[0], stamp_duty=fees[1], transfer_fee=fees[2], slot=SOURCE, epoch=epoch,
    )  # fmt: skip


def cancelled(of: m.OrderSubmission, seq: int) -> m.OrderCancelled:
    return m.OrderCancelled(timestamp=TIME, order_id=of.order_id, portfolio_id=of.portfolio_id, report_seq=seq, slot=SOURCE, epoch=EPOCH)


def snapshot(portfolio_id: str, *, cash: float, frozen: float = 0, fees: float, held: dict[str, int], open_orders: tuple[str, ...] = (),
             orders: int, fills: int, ledger: list[m.LedgerLine], seq: int = 1, epoch: int = EPOCH) -> m.Snapshot:  # fmt: skip
    positions = [
        m.PositionView(
            code=code, direction=1, volume=volume, available_volume=0, cost_price=1, current_price=1, market_value=1, profit_loss=0
        )
        for code, volume in held.items()
    ]  # fmt: skip
    return m.Snapshot(
        portfolio_id=portfolio_id, epoch=epoch, seq=seq, node_id="n1", slot=SLOT, name="a", user_id="u", status="running", config={},
        version=1, initial_cash=100_000, cash=cash, frozen=frozen, total_value=0, fees=fees, positions=positions,
        open_orders=[{"order_id": order_id} for order_id in open_orders], orders=orders, fills=fills, ledger=ledger, drops={},
        transitions=[], history=[], created_at=TIME, updated_at=TIME,
    )  # fmt: skip


def agreeing() -> Topics:
    """Two portfolios: a buy in two fills and a sale of part of it; a buy cut short by a cancel, and one still open.

    The figures of the first two orders are trading.md's worked cases: 10,505.105 out, 10,989.39 in.
    """
    buy, sell = order("b1", P1, PING_AN, 1, 1_000, 10.5), order("s1", P1, PING_AN, -1, 1_000, 11)
    cut, resting = order("b2", P2, VANKE, 1, 500, 20), order("b3", P2, PING_AN, 1, 100, 9)
    claim = m.Claim(timestamp=TIME, node_id="n1", slot=SLOT, epoch=EPOCH)
    source_claim = m.Claim(timestamp=TIME, node_id="n1", slot=SOURCE, epoch=EPOCH)
    return Topics(
        [claim, buy, sell, cut, resting],
        [
            source_claim,
            ack(buy), fill(buy, 2, 400, 400, 10.5, 4_200, (5, 0, 0.042)), fill(buy, 3, 600, 1_000, 10.5, 6_300, (0, 0, 0.063)),
            ack(sell), fill(sell, 2, 1_000, 1_000, 11, 11_000, (5, 5.5, 0.11)),
            ack(cut), fill(cut, 2, 200, 200, 20, 4_000, (5, 0, 0.04)), cancelled(cut, 3), ack(resting),
        ],
        [
            snapshot(P1, cash=100_484.285, fees=15.715, held={}, orders=2, fills=3, ledger=[
                m.LedgerLine(code=PING_AN, bought_volume=1_000, sold_volume=1_000, bought_amount=10_500, sold_amount=11_000, commission=10,
                             stamp_duty=5.5, transfer_fee=0.215)]),
            snapshot(P2, cash=95_089.96, frozen=905, fees=5.04, held={VANKE: 200}, open_orders=("b3",), orders=2, fills=1, ledger=[
                m.LedgerLine(code=VANKE, bought_volume=200, bought_amount=4_000, commission=5, transfer_fee=0.04)]),
        ],
    )  # fmt: skip
