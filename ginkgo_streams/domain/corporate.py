"""Dividends and splits on their ex-date: cash and shares of a position, and prices before it made comparable with those behind it.

A dividend lowers the cost by what it pays, because the price falls by as much: no stop loss may take that for a loss. Taxes are left out.
Of a short the dividend is paid to whom the shares are owed, out of the free cash.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain import windows as w
from ginkgo_streams.domain.bars import FIELDS, VALUES
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.events import PER, CorporateAction, Note
from ginkgo_streams.domain.ledger import Line
from ginkgo_streams.domain.money import cny
from ginkgo_streams.domain.portfolio import Portfolio, fail
from ginkgo_streams.domain.windows import Windows

PRICES = ("open", "high", "low", "close")


def book_action(portfolio: Portfolio, action: CorporateAction, changes: Changes) -> None:
    """Book an action on what is held of its code. Raises LedgerBroken where more shares are in open orders that close than are left.

    A portfolio that cannot pay the dividend of its short fails, and nothing is booked.
    """
    position = portfolio.ledger.positions.get(action.code)
    if position is None:
        return
    ledger, before = portfolio.ledger, position.volume
    side = -1 if position.short else 1
    due = action.income(before)
    income = side * due
    if ledger.cash + income < 0:
        text = f"it owes {cny(due)} of dividends for {before} {action.code} sold short, and has {cny(ledger.cash)} of free cash"
        fail(portfolio, portfolio.updated_at, text, changes)
        return
    line = ledger.lines.setdefault(action.code, Line())
    ledger.cash += income
    ledger.income += income
    line.income += income
    position.cost = max(position.cost - due, 0)
    position.volume = action.volume(before)
    position.bought = min(action.volume(position.bought), position.volume)
    line.converted += side * (position.volume - before)
    if position.volume == 0:
        del ledger.positions[action.code]
    portfolio.check((action.code,))
    changes.mark(portfolio.portfolio_id)
    text = f"Corporate action: {action.code}, {before} shares become {position.volume}, cash {cny(income)}"
    changes.notes.append(Note(portfolio_id=portfolio.portfolio_id, text=text))


def adjust(windows: Windows, action: CorporateAction) -> None:
    """Bring the last price and the history of a code to the level behind the ex-date (prices by one factor, volumes by the split)."""
    row = windows.index.get(action.code)
    if row is None or not (last := int(windows.meta[w.PRICE, row])):
        return
    price = action.price(last)
    windows.meta[w.PRICE, row] = price
    for field in (w.BID, w.ASK, w.REFUSALS, w.REFUSED_PRICE):
        windows.meta[field, row] = 0
    rings = [*windows.updates.items(), *(each for bars in windows.bars.values() for each in bars.rings.items())]
    for name, ring in rings:
        ring.data[row] = _scaled(ring.data[row], name, price, last, action.split)
    for bars in windows.bars.values():
        for place, name in enumerate(FIELDS):
            bars.forming[VALUES + place, row] = _scaled(bars.forming[VALUES + place, [row]], name, price, last, action.split)[0]
    windows.touch(np.array([row], np.intp))


def _scaled(values: NDArray[np.int64], field: str, price: int, last: int, split: int) -> NDArray[np.int64]:
    if field in PRICES:
        return np.where(values > 0, np.maximum((2 * values * price + last) // (2 * last), 1), 0)
    if field == "volume" and split != PER:
        return values * split // PER
    return values
