"""At what price and in which turn orders fill from one price update.

A tick: a market order fills at the ask (buy) or the bid (sell), at the last price where the update has none, each worse by the slippage; a
limit order fills at that price without slippage once it is at the limit or better. A limit order in the book is not taken to be
at the head of its queue: a last price at the limit with the ask above it does not fill it.
A bar: a market order fills at the open, worse by the slippage; a limit buy at the lower of limit and open where the low reached it.
Nothing is bought at limit up nor sold at limit down: there the queue is on our own side.
"""

from __future__ import annotations

from collections.abc import Sequence

from ginkgo_streams.domain.events import ASK, BID, BUY, HIGH, INTERVAL, LOW, OPEN, PRICE, Order
from ginkgo_streams.domain.exchange.book import Entry

Limits = tuple[int, int] | None


def turn(entry: Entry) -> tuple[int, int, int, int, str]:
    """Sort key of the orders of a code: sells before buys (they free cash), market orders first, then price, time, id."""
    order = entry.order
    return order.direction, int(order.limit > 0), -order.direction * order.limit, order.ts, order.order_id


def fill_price(order: Order, row: Sequence[int], limits: Limits, slippage: int, tick: int) -> int:
    """The price at which an order would fill from an update (row: values of `events.FIELDS`), 0 where it would not.

    slippage: per million. Always within the limits; never worse than the order's own limit.
    """
    base = _of_bar(order, row) if row[INTERVAL] else _of_tick(order, row)
    if base == 0:
        return 0
    if limits is not None:
        if not limits[0] <= base <= limits[1]:
            return 0
        queue = limits[1] if order.direction == BUY else limits[0]
        if base == queue or (row[INTERVAL] == 0 and row[PRICE] == queue):
            return 0
    if order.limit or not slippage:
        return base
    worse = _slipped(base, order.direction, slippage, tick)
    return worse if limits is None else min(max(worse, limits[0]), limits[1])


def volume_taken(remaining: int, available: int, lot: int) -> int:
    """How much of what is available an order takes: all it needs, else whole lots, else what there is."""
    if remaining <= available:
        return remaining
    return available // lot * lot or available


def _of_tick(order: Order, row: Sequence[int]) -> int:
    market = (row[ASK] if order.direction == BUY else row[BID]) or row[PRICE]
    return market if not order.limit or (market - order.limit) * order.direction <= 0 else 0


def _of_bar(order: Order, row: Sequence[int]) -> int:
    start = row[OPEN] or row[PRICE]
    if not order.limit:
        return start
    if order.direction == BUY:
        return min(order.limit, start) if (row[LOW] or min(start, row[PRICE])) <= order.limit else 0
    return max(order.limit, start) if (row[HIGH] or max(start, row[PRICE])) >= order.limit else 0


def _slipped(base: int, direction: int, slippage: int, tick: int) -> int:
    """Rounded to the tick, against the order; a sell at least one tick."""
    if direction == BUY:
        return -(-base * (1_000_000 + slippage) // (1_000_000 * tick)) * tick
    return max(base * (1_000_000 - slippage) // (1_000_000 * tick) * tick, tick)
