"""A portfolio as people and databases see it. Money in units of 0.0001 CNY, times ms, volumes shares."""

from __future__ import annotations

from typing import Any

import msgspec

from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.marketview import Market
from ginkgo_streams.domain.orders import ClosedOrder, OpenOrder
from ginkgo_streams.domain.portfolio import EquityRow, Portfolio, Refusal, Transition
from ginkgo_streams.domain.versions import Version

SHOW_CLOSED = 10
"""Orders that have ended, shown: the newest."""


class PositionRow(msgspec.Struct, frozen=True):
    """One position. direction: 1, or -1 for a short, whose volume is the shares owed, cost what they were sold for, market_value negative.
    cost: of all its shares, without fees; cost_price: of one, rounded down to the unit."""

    code: str
    direction: int
    volume: int
    available: int
    cost: int
    cost_price: int
    current_price: int
    market_value: int
    profit_loss: int


class LineRow(msgspec.Struct, frozen=True):
    """What was booked in one code since the portfolio began, amounts without fees."""

    code: str
    bought_volume: int
    sold_volume: int
    bought_amount: int
    sold_amount: int
    commission: int
    stamp_duty: int
    transfer_fee: int


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Everything for a snapshot. cash: free cash. ledger: per code, cumulative, also of codes no longer held. closed_orders,
    transitions, versions, refusals: the last ones."""

    portfolio_id: str
    name: str
    user_id: str
    status: str
    config: dict[str, Any]
    version: int
    initial_cash: int
    cash: int
    frozen: int
    total_value: int
    fees: int
    positions: list[PositionRow]
    ledger: list[LineRow]
    open_orders: list[OpenOrder]
    closed_orders: list[ClosedOrder]
    orders: int
    fills: int
    drops: dict[str, int]
    transitions: list[Transition]
    versions: list[Version]
    refusals: list[Refusal]
    history: list[EquityRow]
    error: str
    created_at: int
    updated_at: int


def view(market: Market, portfolio: Portfolio) -> View:
    """The view at the last prices. Its lists are copies, the open orders too."""
    account = Account(portfolio, market.windows, market.profile, portfolio.day)
    ledger = portfolio.ledger
    return View(
        portfolio_id=portfolio.portfolio_id, name=portfolio.name, user_id=portfolio.user_id, status=portfolio.status,
        config=portfolio.config, version=portfolio.version, initial_cash=ledger.initial, cash=ledger.cash, frozen=ledger.frozen,
        total_value=account.total_value(), fees=ledger.fees,
        positions=[_position(market, account, code) for code in sorted(ledger.positions)],
        ledger=[
            LineRow(code, x.bought_volume, x.sold_volume, x.bought_amount, x.sold_amount, x.commission, x.stamp_duty, x.transfer_fee)
            for code, x in sorted(ledger.lines.items())
        ],
        open_orders=[msgspec.structs.replace(order) for order in portfolio.open_orders.values()],
        closed_orders=portfolio.closed_orders[-SHOW_CLOSED:], versions=list(portfolio.versions), refusals=list(portfolio.refusals),
        orders=portfolio.order_count, fills=portfolio.fill_count, drops=dict(portfolio.drops), transitions=list(portfolio.transitions),
        history=list(portfolio.history), error=portfolio.error, created_at=portfolio.created_at, updated_at=portfolio.updated_at,
    )  # fmt: skip


def _position(market: Market, account: Account, code: str) -> PositionRow:
    volume, cost, value = account.volume(code), account.cost(code), account.market_value(code)
    direction = 1 if volume > 0 else -1
    cost_price = cost // abs(volume)
    return PositionRow(
        code=code, direction=direction, volume=abs(volume), available=account.available(code), cost=cost, cost_price=cost_price,
        current_price=market.windows.price(code) or cost_price, market_value=value, profit_loss=value - direction * cost,
    )  # fmt: skip
