"""The limit price of an order, and what a volume costs at it: the one place both are decided."""

from __future__ import annotations

from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.market.profile import Profile

REACH = 101
"""A buy's limit in percent of the last price: it fills through small moves, and stays within the price cage. A sell's is 99."""


def limit_price(profile: Profile, code: str, direction: int, price: int, low: int, high: int, day: int) -> int:
    """The limit of an order at a last price (units), within the day's limits (0: none) and the price cage, on the tick."""
    tick = profile.tick
    cage = profile.price_cage(code, direction, price, day)
    if direction == BUY:
        limit = min(-(-price * REACH // (100 * tick)) * tick, cage)
        return max(min(limit, high) if high else limit, tick)
    return max(price * (200 - REACH) // (100 * tick) * tick, cage, low, tick)


def buy_cost(profile: Profile, code: str, limit: int, volume: int, day: int, commission_so_far: int = 0, amount_so_far: int = 0) -> int:
    """Cash that buying volume at the limit may need, all fees included; 0 for none."""
    if volume == 0:
        return 0
    amount = limit * volume
    return amount + max(profile.fees(BUY, amount, day, code, commission_so_far, amount_so_far).total, 0)


def affordable(
    profile: Profile, code: str, limit: int, day: int, budget: int, most: int, commission_so_far: int = 0, amount_so_far: int = 0
) -> int:  # fmt: skip
    """The largest valid volume of a buy, at most `most`, whose cost stays within the budget (units); 0 where none does. so_far: of an order
    that has had fills, what they came to."""
    volume = profile.lot_down(code, BUY, min(most, budget // limit), 0)
    while volume > 0:
        over = buy_cost(profile, code, limit, volume, day, commission_so_far, amount_so_far) - budget
        if over <= 0:
            return volume
        # a share less saves its limit and its part of the fees, which is less than another limit: this never gives up too much
        volume = profile.lot_down(code, BUY, volume - max(over // (2 * limit), 1), 0)
    return 0


def sale_cost(profile: Profile, code: str, price: int, volume: int, day: int) -> int:
    """Cash that selling volume at a price (units) takes beyond what it brings; 0 but for a few shares, where the minimum commission is more
    than they are worth."""
    amount = price * volume
    return max(profile.fees(SELL, amount, day, code).total - amount, 0)
