"""Whether the exchange takes an order: each rule gives a reason code and a message, or None."""

from __future__ import annotations

from ginkgo_streams.domain.events import BUY, SELL, UNIT, Order
from ginkgo_streams.domain.exchange.book import CodeState, Entry
from ginkgo_streams.domain.exchange.line import chosen
from ginkgo_streams.domain.exchange.settings import ExchangeSettings, per_million
from ginkgo_streams.domain.market.profile import Profile

Refusal = tuple[str, str]
"""(reason_code, message)."""


def refusal(profile: Profile, settings: ExchangeSettings, entry: Entry, state: CodeState | None, now: int) -> Refusal | None:
    """The first reason against an order, or None. `now`: event time, `state` None: no price of the code was ever seen.

    What the day's previous close decides is left to `outside_limits` on the first price of the day, where the order is early.
    """
    order = entry.order
    if order.direction not in (BUY, SELL) or order.limit < 0:
        return "bad_order", f"direction {order.direction} with limit {order.limit} is no order"
    if _unlucky(settings, order.order_id):
        return "random_reject", "refused at random, as the exchange's reject_rate asks for"
    if state is None:
        return "unknown_code", f"{order.code} has never traded here"
    reason = profile.valid_volume(order.code, order.direction, order.volume, None)
    if reason is not None:
        return "bad_lot", reason
    if order.limit % profile.tick:
        return "bad_tick", f"limit {_cny(order.limit)} is not a multiple of {_cny(profile.tick)}"
    if profile.day_orders and now > profile.close_ts(entry.day):
        return "day_over", "the trading day the order was good for is over"
    if state.day != entry.day:
        return None
    return outside_limits(profile, order, state) or _outside_cage(profile, order, state)


def outside_limits(profile: Profile, order: Order, state: CodeState) -> Refusal | None:
    """Whether a limit is outside the price limits of the code's day."""
    limits = profile.price_limits(order.code, state.prev_close, state.day)
    if limits is None or not order.limit or limits[0] <= order.limit <= limits[1]:
        return None
    return "price_limit", f"limit {_cny(order.limit)} of {order.code} is outside {_cny(limits[0])} to {_cny(limits[1])}"


def _outside_cage(profile: Profile, order: Order, state: CodeState) -> Refusal | None:
    if not order.limit or profile.phase(order.ts) != "continuous":
        return None
    bound = profile.price_cage(order.code, order.direction, state.reference(order.direction), state.day)
    if (order.limit - bound) * order.direction <= 0:
        return None
    return "price_cage", f"limit {_cny(order.limit)} of {order.code} passes {_cny(bound)}, the bound in continuous trading"


def _unlucky(settings: ExchangeSettings, order_id: str) -> bool:
    """Chosen by the order's id, so that it does not depend on what else happens."""
    return chosen(settings.seed, order_id, per_million(settings.reject_rate))


def _cny(units: int) -> str:
    return f"{units // UNIT}.{units % UNIT:04d}".rstrip("0").rstrip(".")
