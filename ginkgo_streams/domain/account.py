"""A portfolio's money and shares at the last prices: what components may look at, and not change."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ginkgo_streams.domain import windows as w
from ginkgo_streams.domain.bars import FIELDS, VALUES, BarInterval, History
from ginkgo_streams.domain.events import BUY
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.domain.windows import Windows


class Account:
    """Read-only. Money in units of 0.0001 CNY, volumes in shares. day: the trading day an order would be good for now (date ordinal);
    ts: the time of the event, ms; today: the trading day of its prices (0 in both where no price brought the event)."""

    __slots__ = ("_portfolio", "_profile", "_t_plus_one", "_watched", "_windows", "day", "today", "ts")

    def __init__(
        self, portfolio: Portfolio, windows: Windows, profile: Profile, day: int, ts: int = 0, today: int = 0,
        watched: frozenset[str] | None = None,
    ) -> None:  # fmt: skip
        """watched: the codes of the portfolio, None for all."""
        self._portfolio = portfolio
        self._windows = windows
        self._profile = profile
        self._t_plus_one = profile.t_plus_one
        self._watched = watched
        self.day = day
        self.ts = ts
        self.today = today

    @property
    def cash(self) -> int:
        """Free cash, the proceeds of short sales included; `buying_power` is what may be spent of it."""
        return self._portfolio.ledger.cash

    @property
    def buying_power(self) -> int:
        """Cash that may go into positions: the free cash; with shorts only what keeps all exposure within the total value.

        Exposure, open orders included (longs L, shorts S, frozen F in orders that open), is at most the total value (cash + F + L - S, and
        C frozen in orders that close) where 2 S <= cash + C.
        """
        ledger = self._portfolio.ledger
        if not self._profile.short_selling:
            return ledger.cash
        closing = sum(order.frozen for order in self._portfolio.open_orders.values() if not order.opens)
        owed = -sum(self.market_value(code) for code, position in ledger.positions.items() if position.short)
        return max(min(ledger.cash, ledger.cash + closing - 2 * owed), 0)

    @property
    def short_selling(self) -> bool:
        """Whether a sell of what is not held opens a short position."""
        return self._profile.short_selling

    @property
    def codes(self) -> list[str]:
        """Codes held or sold short."""
        return list(self._portfolio.ledger.positions)

    @property
    def engaged(self) -> list[str]:
        """Codes held or sold short, and those in open orders that open a position."""
        opening = [order.code for order in self._portfolio.open_orders.values() if order.opens]
        return list(dict.fromkeys([*self._portfolio.ledger.positions, *opening]))

    def volume(self, code: str) -> int:
        """Shares held, those bought today and those in open sells included; negative for a short."""
        position = self._portfolio.ledger.positions.get(code)
        if position is None:
            return 0
        return -position.volume if position.short else position.volume

    def available(self, code: str) -> int:
        """Shares that may be sold now: not bought today (T+1), not in an open sell; or that may be bought back of a short."""
        position = self._portfolio.ledger.positions.get(code)
        return 0 if position is None else position.available(self.day, self._t_plus_one)

    def cost(self, code: str) -> int:
        """What the shares held cost, of a short what they were sold for; without fees."""
        position = self._portfolio.ledger.positions.get(code)
        return 0 if position is None else position.cost

    def pending(self, code: str) -> int:
        """Shares in open orders that open a position or add to it: in buys, or (negative) in short sales."""
        orders = self._portfolio.open_orders.values()
        return sum((order.volume - order.filled) * order.direction for order in orders if order.code == code and order.opens)

    def opens(self, code: str, direction: int) -> bool:
        """Whether an order would open a position or add to it: a buy would, unless the code is sold short; a sell would where the market
        has short selling and nothing of the code is held."""
        if not self._profile.short_selling:
            return direction == BUY
        return self.volume(code) * direction >= 0

    def market_value(self, code: str) -> int:
        """Shares held at the last price (at cost where no price was seen); negative for a short."""
        position = self._portfolio.ledger.positions.get(code)
        if position is None:
            return 0
        price = self._windows.price(code)
        value = price * position.volume if price else position.cost
        return -value if position.short else value

    def positions_value(self) -> int:
        """All shares held less all sold short, at the last prices."""
        return sum(map(self.market_value, self._portfolio.ledger.positions))

    def total_value(self) -> int:
        """Cash, frozen cash and positions."""
        return self._portfolio.ledger.cash + self._portfolio.ledger.frozen + self.positions_value()

    def committed(self, code: str) -> int:
        """Position, long or short, and cash frozen by open orders that add to it, of one code."""
        orders = self._portfolio.open_orders.values()
        return abs(self.market_value(code)) + sum(order.frozen for order in orders if order.code == code and order.opens)

    def committed_total(self) -> int:
        """Positions, long and short, and cash frozen by open orders that add to them, of all codes."""
        opening = sum(order.frozen for order in self._portfolio.open_orders.values() if order.opens)
        return sum(abs(self.market_value(code)) for code in self._portfolio.ledger.positions) + opening

    # ---- market ----

    def price(self, code: str) -> int:
        """The last price of a code, 0 where none was seen."""
        return self._windows.price(code)

    def session(self) -> tuple[int, int] | None:
        """When continuous trading of `day` begins and when it closes, ms; None in a market without sessions."""
        profile = self._profile
        return (profile.continuous_open_ts(self.day), profile.close_ts(self.day)) if profile.day_orders else None

    def quoted_day(self, code: str) -> int:
        """The trading day of a code's last update (date ordinal), 0 where there was none."""
        row = self._windows.index.get(code)
        return 0 if row is None else int(self._windows.meta[w.DAY, row])

    def volume_today(self, code: str) -> int:
        """Shares of a code traded on `today` so far, as its updates say. A component that asks needs volumes of "1d"."""
        bars, row = self._windows.bars_of("1d"), self._windows.index.get(code)
        if row is None or int(bars.forming[0, row]) != self.today:
            return 0
        return int(bars.forming[VALUES + FIELDS.index("volume"), row])

    def bars(self, interval: BarInterval, codes: Iterable[str]) -> History:
        """The complete bars of those of `codes` that have a price. A day's bar is complete when the day is over."""
        bars = self._windows.bars_of(interval)
        known = [code for code in codes if code in self._windows.index]
        rows = np.array([self._windows.index[code] for code in known], np.intp)
        bucket = self.day if interval == "1d" else bars.forming[0, rows]
        return History(bars, known, rows, bucket, inclusive=True)

    def universe(self) -> History:
        """The daily bars before today of all codes that the portfolio watches, sorted by code: the same however the updates of a day
        are put together."""
        windows = self._windows
        known = windows.index.keys() if self._watched is None else self._watched & windows.index.keys()
        codes = sorted(known)
        rows = np.array([windows.index[code] for code in codes], np.intp)
        return History(windows.bars_of("1d"), codes, rows, self.today, inclusive=False)
