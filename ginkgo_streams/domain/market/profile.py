"""The contract of a market profile: every rule of a market that the kernel and the simulated exchange ask for.

Prices and money are integers of 0.0001 CNY ("units"), volumes are shares, `ts` is ms since 1970 UTC, a `day` is a
date's ordinal (`datetime.date.toordinal`) in the market's own time zone, `direction` is 1 (buy) or -1 (sell).
Profiles are pure: same arguments, same answer. `cn.cn(...)` and `generic.generic(...)` make them.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Phase = Literal["closed", "opening_auction", "continuous", "break", "closing_auction"]

MAX_PRICE = 1 << 62
"""The bound of a buy where no rule bounds it (units)."""


class Fees(msgspec.Struct, frozen=True):
    """What a fill costs, in units."""

    commission: int = 0
    stamp_duty: int = 0
    transfer_fee: int = 0

    @property
    def total(self) -> int:
        """All of it, in units."""
        return self.commission + self.stamp_duty + self.transfer_fee


class Profile(Protocol):
    """One market."""

    @property
    def name(self) -> str:
        """The market's name as messages carry it: "CN", "GENERIC"."""

    @property
    def tick(self) -> int:
        """Smallest step of a price, in units."""

    @property
    def lot(self) -> int:
        """Shares of a round lot: partial fills prefer multiples of it."""

    @property
    def t_plus_one(self) -> bool:
        """Whether shares bought today can be sold only from the next trading day."""

    @property
    def market_orders(self) -> bool:
        """Whether portfolios give market orders, sized by the price they fill at; else limit orders near the last price."""

    @property
    def short_selling(self) -> bool:
        """Whether a sell of what is not held opens a short position (only where `market_orders`: its collateral is a cash budget)."""

    @property
    def max_jump(self) -> int:
        """Percent from the last price beyond which a price is taken for an error; 0: none is."""

    @property
    def day_orders(self) -> bool:
        """Whether an order ends with the trading day it belongs to."""

    # ---- volumes ----

    def lot_down(self, code: str, direction: int, volume: int, held: int) -> int:
        """The largest volume one order may have that is <= `volume`; 0 where none is. `held`: shares held, for sells."""

    def valid_volume(self, code: str, direction: int, volume: int, held: int | None) -> str | None:
        """Why an order of this volume is refused, or None. `held` None: unknown, then a sell may be a remainder."""

    # ---- prices ----

    def price_limits(self, code: str, prev_close: int, day: int, st: bool = False, listed: int | None = None) -> tuple[int, int] | None:
        """Lowest and highest price of the day (units), or None where there is no limit or `prev_close` is unknown (0).

        st: under special treatment. listed: the day of the IPO where it is known (the first days have no limits).
        """

    def limit_class(self, code: str) -> int:
        """What of a code decides its price limits, as a number for `limit_columns`: 0, 1, 2 …"""

    def limit_columns(
        self, classes: NDArray[np.int64], prev_close: NDArray[np.int64], day: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`price_limits` of n codes that are neither ST nor newly listed, at once: lowest and highest price, 0 where there are none."""

    def price_cage(self, code: str, direction: int, reference: int, day: int | None = None) -> int:
        """The highest limit of a buy, or the lowest of a sell, in continuous trading, given the reference price (units).

        `MAX_PRICE` for a buy and 0 for a sell where nothing bounds it. day None: the rule of now.
        """

    # ---- money ----

    def fees(self, direction: int, amount: int, day: int, code: str, commission_so_far: int = 0, amount_so_far: int = 0) -> Fees:
        """Fees of a fill of `amount` units, of an order that has had fills of `amount_so_far` and paid `commission_so_far`.

        The minimum commission holds for the order, not for the fill.
        """

    # ---- time ----

    def calendar_day(self, ts: int) -> int:
        """The date at ts, in the market's time zone."""

    def trading_day(self, ts: int) -> int:
        """The trading day an event at ts belongs to: up to and including the close that day, behind it the next."""

    def order_day(self, ts: int) -> int:
        """The trading day an order stamped ts is good for: exactly at the close it is already the next, because an
        order stamped so comes from the last price of the day."""

    def is_trading_day(self, day: int) -> bool:
        """Whether the exchange is open on that date."""

    def next_trading_day(self, day: int) -> int:
        """The first trading day behind `day`."""

    def trading_days_between(self, earlier: int, later: int) -> int:
        """How many trading days are behind `earlier` up to and including `later`; 0 where later <= earlier."""

    def session_open_ts(self, day: int) -> int:
        """When the first price of a day may come (CN: 09:15, the opening auction)."""

    def continuous_open_ts(self, day: int) -> int:
        """When continuous trading of a day begins (CN: 09:30)."""

    def close_ts(self, day: int) -> int:
        """The close of a day: the last ms at which an event belongs to it."""

    def phase(self, ts: int) -> Phase:
        """What the exchange does at ts."""

    def trading_before(self, ts: int, span: int) -> int:
        """The moment from which to ts, on the day of ts, `span` ms of continuous trading have passed; 0 where that day has had less."""

    def can_cancel(self, ts: int) -> bool:
        """Whether the exchange takes cancels at ts (it does not in the call auctions)."""

    def open_mask(self, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each ts, whether a price update at that time is in session. Shape of ts."""
