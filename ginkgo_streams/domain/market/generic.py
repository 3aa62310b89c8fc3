"""The market profile of any other data: lot 1, no T+1, no price limits or cage, no sessions, fees only as configured,
long only unless short selling is switched on.

Dates are UTC; an event exactly at midnight belongs to the day that ends then, as a bar that ends then does.
Orders stand until they are filled or cancelled: there is no close at which they could end.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.market.profile import MAX_PRICE, Fees, Phase
from ginkgo_streams.domain.market.rates import half_up, ratio
from ginkgo_streams.domain.market.sessions import DAY_MS, EPOCH_DAY


@dataclass(frozen=True, slots=True)
class Generic:
    """A market without rules of its own (`Profile`)."""

    tick: int
    commission_rate: Fraction
    minimum_commission: int
    short_selling: bool = False
    name: str = "GENERIC"
    lot: int = 1
    t_plus_one: bool = False
    day_orders: bool = False
    market_orders: bool = True
    max_jump: int = 0

    def lot_down(self, code: str, direction: int, volume: int, held: int) -> int:
        """Any volume; of a sell at most what is held."""
        return max(0, min(volume, held) if direction == SELL else volume)

    def valid_volume(self, code: str, direction: int, volume: int, held: int | None) -> str | None:
        """Any positive volume."""
        return None if volume > 0 else f"volume {volume} is not positive"

    def price_limits(self, code: str, prev_close: int, day: int, st: bool = False, listed: int | None = None) -> tuple[int, int] | None:
        """None: there are no limits."""
        return None

    def limit_class(self, code: str) -> int:
        """0: there are no limits."""
        return 0

    def limit_columns(
        self, classes: NDArray[np.int64], prev_close: NDArray[np.int64], day: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """0: there are no limits."""
        return np.zeros_like(prev_close), np.zeros_like(prev_close)

    def price_cage(self, code: str, direction: int, reference: int, day: int | None = None) -> int:
        """No bound."""
        return MAX_PRICE if direction == BUY else 0

    def fees(self, direction: int, amount: int, day: int, code: str, commission_so_far: int = 0, amount_so_far: int = 0) -> Fees:
        """The configured commission, its minimum counted once an order."""
        whole = half_up(amount_so_far + amount, self.commission_rate.numerator, self.commission_rate.denominator)
        return Fees(max(self.minimum_commission, whole) - commission_so_far)

    def calendar_day(self, ts: int) -> int:
        """The date, UTC; midnight itself is still the day before: a fill by the bar that ends then is of that bar's day."""
        return self.trading_day(ts)

    def trading_day(self, ts: int) -> int:
        """The date, UTC; midnight itself is still the day before."""
        return (ts - 1) // DAY_MS + EPOCH_DAY

    def order_day(self, ts: int) -> int:
        """The date, UTC."""
        return self.trading_day(ts + 1)

    def is_trading_day(self, day: int) -> bool:
        """Every day is one."""
        return True

    def next_trading_day(self, day: int) -> int:
        """The day behind it."""
        return day + 1

    def trading_days_between(self, earlier: int, later: int) -> int:
        """Days behind `earlier` up to and including `later`."""
        return max(0, later - earlier)

    def session_open_ts(self, day: int) -> int:
        """Midnight at which the day begins, UTC."""
        return (day - EPOCH_DAY) * DAY_MS

    def continuous_open_ts(self, day: int) -> int:
        """Midnight at which the day begins, UTC."""
        return self.session_open_ts(day)

    def close_ts(self, day: int) -> int:
        """Midnight at which the day ends, UTC."""
        return self.session_open_ts(day + 1)

    def phase(self, ts: int) -> Phase:
        """Always continuous."""
        return "continuous"

    def trading_before(self, ts: int, span: int) -> int:
        """It trades all the time."""
        return max(ts - span, 0)

    def can_cancel(self, ts: int) -> bool:
        """Always."""
        return True

    def open_mask(self, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Always in session."""
        return np.ones(ts.shape, np.bool_)


def generic(
    tick: int = 1, commission_rate: Fraction | int = 0, minimum_commission: int = 0, short_selling: bool = False
) -> Generic:  # fmt: skip
    """A market without rules. tick: units; commission_rate: a fraction, or an integer per million; minimum: units per order;
    short_selling: whether a sell of what is not held opens a short position.

    Raises ValueError for a rate outside 0 to 1, a negative minimum or a tick that is not positive.
    """
    if tick <= 0 or minimum_commission < 0:
        raise ValueError(f"a tick of {tick} or a minimum commission of {minimum_commission} units is out of range")
    return Generic(tick, ratio(commission_rate), minimum_commission, short_selling)
