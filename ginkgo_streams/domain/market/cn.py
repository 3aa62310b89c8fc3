"""The market profile of the A-share market: the rules of lots, limits, fees and sessions put together."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.market import limits, lots, sessions
from ginkgo_streams.domain.market.calendar import Calendar
from ginkgo_streams.domain.market.fees import cn_fees
from ginkgo_streams.domain.market.profile import Fees, Phase
from ginkgo_streams.domain.market.rates import ratio

COMMISSION_RATE = Fraction(3, 10_000)
MINIMUM_COMMISSION = 50_000
"""5 CNY per order, in units."""


@dataclass(slots=True)
class Commission:
    """The broker's part of the fees, which may become another while portfolios run. rate: of the amount; minimum: units per order."""

    rate: Fraction
    minimum: int


@dataclass(frozen=True, slots=True)
class ChinaA:
    """The A-share market (`Profile`)."""

    calendar: Calendar
    commission: Commission
    name: str = "CN"
    tick: int = limits.TICK
    lot: int = lots.LOT
    t_plus_one: bool = True
    day_orders: bool = True
    market_orders: bool = False
    short_selling: bool = False
    max_jump: int = 20

    def lot_down(self, code: str, direction: int, volume: int, held: int) -> int:
        """See `lots.lot_down`."""
        return lots.lot_down(code, direction, volume, held)

    def valid_volume(self, code: str, direction: int, volume: int, held: int | None) -> str | None:
        """See `lots.valid_volume`."""
        return lots.valid_volume(code, direction, volume, held)

    def price_limits(self, code: str, prev_close: int, day: int, st: bool = False, listed: int | None = None) -> tuple[int, int] | None:
        """See `limits.price_limits`."""
        return limits.price_limits(self.calendar, code, prev_close, day, st, listed)

    def limit_class(self, code: str) -> int:
        """See `limits.limit_class`."""
        return limits.limit_class(code)

    def limit_columns(
        self, classes: NDArray[np.int64], prev_close: NDArray[np.int64], day: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `limits.limit_columns`."""
        return limits.limit_columns(classes, prev_close, day)

    def price_cage(self, code: str, direction: int, reference: int, day: int | None = None) -> int:
        """See `limits.price_cage`."""
        return limits.price_cage(code, direction, reference, day)

    def fees(self, direction: int, amount: int, day: int, code: str, commission_so_far: int = 0, amount_so_far: int = 0) -> Fees:
        """See `fees.cn_fees`."""
        own = self.commission
        return cn_fees(own.rate, own.minimum, direction, amount, day, code, commission_so_far, amount_so_far)

    def calendar_day(self, ts: int) -> int:
        """The date in Shanghai."""
        return sessions.calendar_day(ts)

    def trading_day(self, ts: int) -> int:
        """See `sessions.trading_day`."""
        return sessions.trading_day(self.calendar, ts)

    def order_day(self, ts: int) -> int:
        """The trading day an order is good for: stamped exactly at the close it is the next."""
        return sessions.trading_day(self.calendar, ts + 1)

    def is_trading_day(self, day: int) -> bool:
        """Whether a date is a trading day of the Shanghai exchange."""
        return self.calendar.is_trading(day)

    def next_trading_day(self, day: int) -> int:
        """The first trading day behind a date."""
        return self.calendar.next(day)

    def trading_days_between(self, earlier: int, later: int) -> int:
        """Trading days behind `earlier` up to and including `later`."""
        return self.calendar.between(earlier, later)

    def session_open_ts(self, day: int) -> int:
        """09:15."""
        return sessions.moment(day, sessions.OPEN)

    def continuous_open_ts(self, day: int) -> int:
        """09:30."""
        return sessions.moment(day, sessions.CONTINUOUS)

    def close_ts(self, day: int) -> int:
        """15:00."""
        return sessions.moment(day, sessions.CLOSE)

    def phase(self, ts: int) -> Phase:
        """See `sessions.phase`."""
        return sessions.phase(self.calendar, ts)

    def trading_before(self, ts: int, span: int) -> int:
        """See `sessions.trading_before`."""
        return sessions.trading_before(self.calendar, ts, span)

    def can_cancel(self, ts: int) -> bool:
        """See `sessions.can_cancel`."""
        return sessions.can_cancel(self.calendar, ts)

    def open_mask(self, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See `sessions.open_mask`."""
        return sessions.open_mask(self.calendar, ts)


def cn(calendar: Calendar, commission_rate: Fraction | int = COMMISSION_RATE, minimum_commission: int = MINIMUM_COMMISSION) -> ChinaA:
    """The A-share market. commission_rate: a fraction, or an integer per million; minimum_commission: units per order.

    Raises ValueError for a rate outside 0 to 1 or a negative minimum.
    """
    return ChinaA(calendar, commission(commission_rate, minimum_commission))


def commission(rate: Fraction | int, minimum: int) -> Commission:
    """A broker's commission, as `cn` takes it. Raises ValueError."""
    if minimum < 0:
        raise ValueError(f"a minimum commission of {minimum} units is negative; give 0 for none")
    return Commission(ratio(rate), minimum)
