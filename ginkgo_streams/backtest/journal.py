"""What happens in a run, as it happens: orders, fills, ends of days, what the risk chain did. Money in units, times in ms."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import structs

from ginkgo_streams.domain.events import BUY, Alert, CorporateAction, Order, Report
from ginkgo_streams.domain.portfolio import EquityRow, Portfolio


@dataclass(slots=True)
class OrderLine:
    """An order and how it ended ("open": it did not). filled: shares; commission, duty, transfer, amount: units of all its fills."""

    order: Order
    end: str = "open"
    end_ts: int = 0
    end_reason: str = ""
    filled: int = 0
    amount: int = 0
    fees: int = 0
    profit: int = 0
    """Of an order that closes: for a sale its proceeds less all fees and less the average cost, with its fees, of the shares sold;
    for a buy that closes a short the average proceeds, less their fees, of these shares, less what they cost now with all fees."""
    short: bool = False
    """Of a short position: a sale that opens it or adds to it, a buy that closes it. Known with the first fill."""


@dataclass(slots=True)
class Fill:
    """One fill. profit, short: as in `OrderLine`."""

    order: Order
    report: Report
    profit: int
    short: bool = False


@dataclass(slots=True)
class DayEnd:
    """The end of a trading day. held: value of the positions at the last prices."""

    row: EquityRow
    held: int


@dataclass(slots=True)
class _Basis:
    """Of what is held of a code: shares, and what they cost with fees; of what is sold short, both negative: minus what it brought."""

    volume: int = 0
    cost: int = 0


@dataclass(slots=True)
class Journal:
    """Of one portfolio."""

    orders: dict[str, OrderLine] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    days: dict[int, DayEnd] = field(default_factory=dict)
    risk: list[Alert] = field(default_factory=list)
    income: int = 0
    """Dividends, units."""
    _basis: dict[str, _Basis] = field(default_factory=dict)

    def ordered(self, order: Order) -> None:
        """An order goes out, or out again."""
        if order.order_id not in self.orders:
            self.orders[order.order_id] = OrderLine(order)

    def reported(self, report: Report) -> None:
        """The exchange says something new of an order."""
        line = self.orders[report.order_id]
        if report.kind in ("filled", "partially_filled"):
            fees = report.commission + report.stamp_duty + report.transfer_fee
            line.filled += report.volume
            line.amount += report.amount
            line.fees += fees
            line.short = self._short(report)
            profit = self._booked(report, fees)
            line.profit += profit
            self.fills.append(Fill(line.order, report, profit, line.short))
        if report.kind not in ("ack", "partially_filled"):
            line.end, line.end_ts = report.kind, report.ts
            line.end_reason = f"{report.reason_code}: {report.message}" if report.reason_code else report.message

    def _booked(self, report: Report, fees: int) -> int:
        basis = self._basis.setdefault(report.code, _Basis())
        paid = report.direction * report.amount + fees
        if basis.volume * report.direction >= 0:
            basis.volume += report.direction * report.volume
            basis.cost += paid
            return 0
        cost = basis.cost * report.volume // abs(basis.volume)
        basis.volume += report.direction * report.volume
        basis.cost -= cost
        return -paid - cost

    def _short(self, report: Report) -> bool:
        """Whether a fill is of a short: no order of the other side is open beside it, so what is held tells."""
        held = self._basis[report.code].volume if report.code in self._basis else 0
        return held < 0 or (held == 0 and report.direction != BUY)

    def converted(self, action: CorporateAction) -> None:
        """A dividend or split: it lowers what the shares have cost."""
        basis = self._basis.get(action.code)
        if basis is not None and basis.volume:
            side = 1 if basis.volume > 0 else -1
            income = side * action.income(abs(basis.volume))
            basis.cost -= income
            basis.volume = side * action.volume(abs(basis.volume))
            self.income += income

    def finalized(self, portfolio: Portfolio, day: int) -> None:
        """All was sold at the end of a day whose end is written already: it follows."""
        if day in self.days:
            row, total = self.days[day].row, portfolio.ledger.cash + portfolio.ledger.frozen
            pnl = row.daily_pnl + total - row.total_value
            after = structs.replace(row, cash=portfolio.ledger.cash, total_value=total, daily_pnl=pnl, position_count=0)
            self.days[day] = DayEnd(after, 0)

    def day_end(self, portfolio: Portfolio) -> None:
        """The newest end of a day, or its correction."""
        if portfolio.history:
            row = portfolio.history[-1]
            known = self.days.get(row.day)
            if known is None or known.row != row:
                self.days[row.day] = DayEnd(row, row.total_value - row.cash - portfolio.ledger.frozen)
