"""The books of one portfolio: cash, frozen cash, positions, and what was traded in each code since it began.

Money in units of 0.0001 CNY, volumes in shares. Every change is checked at once (`check`): what does not add up raises
`LedgerBroken`, and the process ends before anybody sees it.

A short position is one of shares sold that were not held. No volume is negative: `Position.short` says which side it is on, its volume is
the shares owed, its cost what they were sold for; what was bought less what was sold of its code is minus its volume. A code is on one
side at a time, its open orders included. The proceeds are in `cash`: that they are not spent is the business of orders
(`Account.buying_power`), as it depends on prices, which the books do not know.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ginkgo_streams.domain.events import BUY
from ginkgo_streams.domain.orders import OpenOrder


class LedgerBroken(Exception):
    """The books do not add up: a bug. The text has the figures."""


class Position(msgspec.Struct, omit_defaults=True):
    """Shares of one code. `cost`: what they cost, without fees. `frozen`: in open sells. `bought`: of them, bought on
    trading day `bought_day` (T+1). `opened_day`: of the first purchase.

    short: shares owed. `cost`: what they were sold for, without fees. `frozen`: in open buys that close it. `opened_day`: of the first
    sale."""

    volume: int = 0
    cost: int = 0
    frozen: int = 0
    bought: int = 0
    bought_day: int = 0
    opened_day: int = 0
    short: bool = False

    def available(self, day: int, t_plus_one: bool) -> int:
        """Shares that an order good for trading day `day` may sell, or of a short buy back."""
        return self.volume - self.frozen - (self.bought if t_plus_one and self.bought_day >= day else 0)


class Line(msgspec.Struct, omit_defaults=True):
    """What was traded in one code since the portfolio began, for the auditor. Amounts without fees."""

    bought_volume: int = 0
    sold_volume: int = 0
    bought_amount: int = 0
    sold_amount: int = 0
    commission: int = 0
    stamp_duty: int = 0
    transfer_fee: int = 0
    income: int = 0
    """Dividends."""
    converted: int = 0
    """Shares that splits have added (taken away: negative)."""


class Ledger(msgspec.Struct):
    """The books. `cash` is free cash. `bought`, `sold`, `fees`, `income`: sums over all codes."""

    initial: int
    cash: int
    frozen: int = 0
    bought: int = 0
    sold: int = 0
    fees: int = 0
    positions: dict[str, Position] = {}
    lines: dict[str, Line] = {}
    income: int = 0


def freeze(ledger: Ledger, order: OpenOrder) -> None:
    """Set aside what a new order may need: its `frozen` cash, and where it closes a position the shares."""
    ledger.cash -= order.frozen
    ledger.frozen += order.frozen
    if not order.opens:
        ledger.positions[order.code].frozen += order.volume


def release(ledger: Ledger, order: OpenOrder) -> None:
    """Give back what an ended order still holds."""
    ledger.cash += order.frozen
    ledger.frozen -= order.frozen
    order.frozen = 0
    if not order.opens and order.volume > order.filled:
        ledger.positions[order.code].frozen -= order.volume - order.filled


def resize(ledger: Ledger, order: OpenOrder, volume: int) -> None:
    """Give an order the volume, never more than before, that it was sized to when it filled."""
    if not order.opens:
        ledger.positions[order.code].frozen -= order.volume - volume
    order.volume = volume


def book(ledger: Ledger, order: OpenOrder, volume: int, amount: int, fees: tuple[int, int, int], day: int, frozen_after: int) -> None:
    """Book a fill whose figures are known to be good. fees: commission, stamp duty, transfer fee. day: trading day of the
    fill. frozen_after: cash the rest of the order may need."""
    total = sum(fees)
    position = ledger.positions.setdefault(order.code, Position())
    line = ledger.lines.setdefault(order.code, Line())
    ledger.frozen += frozen_after - order.frozen
    ledger.cash += order.frozen - frozen_after - order.direction * amount - total
    order.frozen = frozen_after
    if order.opens:
        if position.volume == 0:
            position.opened_day, position.short = day, order.short
        position.volume += volume
        position.cost += amount
        if not order.short:
            position.bought = volume + (position.bought if position.bought_day == day else 0)
            position.bought_day = day
    else:
        position.cost -= position.cost * volume // position.volume
        position.volume -= volume
        position.frozen -= volume
        if position.volume == 0:
            del ledger.positions[order.code]
    if order.direction == BUY:
        line.bought_volume += volume
        line.bought_amount += amount
        ledger.bought += amount
    else:
        line.sold_volume += volume
        line.sold_amount += amount
        ledger.sold += amount
    line.commission += fees[0]
    line.stamp_duty += fees[1]
    line.transfer_fee += fees[2]
    ledger.fees += total
    order.filled += volume
    order.amount += amount
    order.commission += fees[0]


def check(ledger: Ledger, orders: Iterable[OpenOrder], codes: Iterable[str] | None = None) -> None:
    """Raise LedgerBroken unless the invariants hold. codes: whose positions to look at, None for all (and their sums)."""
    orders = list(orders)
    if ledger.cash + ledger.frozen + ledger.bought - ledger.sold + ledger.fees - ledger.income != ledger.initial:
        raise LedgerBroken(
            f"cash {ledger.cash} + frozen {ledger.frozen} + bought {ledger.bought} - sold {ledger.sold} + fees {ledger.fees}"
            f" - income {ledger.income} is not the initial cash {ledger.initial}"
        )
    frozen = sum(order.frozen for order in orders)
    if ledger.cash < 0 or ledger.frozen < 0 or ledger.frozen != frozen:
        raise LedgerBroken(f"cash {ledger.cash}, frozen {ledger.frozen}, but open orders hold {frozen}")
    for order in orders:
        if not 0 <= order.filled < order.volume or order.frozen < 0:
            raise LedgerBroken(f"open order {order.order_id}: {order.filled} of {order.volume} filled, {order.frozen} frozen")
    if codes is None:
        codes = ledger.lines.keys() | ledger.positions.keys()
        lines = ledger.lines.values()
        fees = sum(x.commission + x.stamp_duty + x.transfer_fee for x in lines)
        sums = (sum(x.bought_amount for x in lines), sum(x.sold_amount for x in lines), fees, sum(x.income for x in lines))
        if sums != (totals := (ledger.bought, ledger.sold, ledger.fees, ledger.income)):
            raise LedgerBroken(f"codes add up to (bought, sold, fees, income) {sums}, the ledger has {totals}")
    for code in codes:
        _check_position(code, ledger, orders)


def _check_position(code: str, ledger: Ledger, orders: list[OpenOrder]) -> None:
    position, line = ledger.positions.get(code, Position()), ledger.lines.get(code, Line())
    mine = [order for order in orders if order.code == code]
    closing = sum(order.volume - order.filled for order in mine if not order.opens)
    owned = -position.volume if position.short else position.volume
    if owned != line.bought_volume - line.sold_volume + line.converted or position.frozen != closing:
        raise LedgerBroken(f"{code}: {position} does not follow from {line} and {closing} shares in open orders that close it")
    sides = {order.short for order in mine} | ({position.short} if position.volume else set())
    if len(sides) > 1:
        raise LedgerBroken(f"{code}: {position} and its open orders are on both sides, long and short")
    if min(position.volume, position.cost, position.frozen, position.volume - position.frozen) < 0:
        raise LedgerBroken(f"{code}: {position} has a negative figure")
