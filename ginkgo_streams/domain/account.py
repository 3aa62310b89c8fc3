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
        """Free cash."""
        return self._portfolio.ledger.cash

    @property
    def codes(self) -> list[str]:
        """Codes held."""
        return list(self._portfolio.ledger.positions)

    @property
    def engaged(self) -> list[str]:
        """Codes held, and those in open buys."""
        buying = [order.code for order in self._portfolio.open_orders.values() if order.direction == BUY]
        return list(dict.fromkeys([*self._portfolio.ledger.positions, *buying]))

    def volume(self, code: str) -> int:
        """Shares held, those bought today and those in open sells included."""
        position = self._portfolio.ledger.positions.get(code)
        return 0 if position is None else position.volume

    def available(self, code: str) -> int:
        """Shares that may be sold now: not bought today (T+1), not in an open sell."""
        position = self._portfolio.ledger.positions.get(code)
        return 0 if position is None else position.available(self.day, self._t_plus_one)

    def cost(self, code: str) -> int:
        """What the shares held cost, without fees."""
        position = self._portfolio.ledger.positions.get(code)
        return 0 if position is None else position.cost

    def pending(self, code: str) -> int:
        """Shares in open buys."""
        orders = self._portfolio.open_orders.values()
        return sum(order.volume - order.filled for order in orders if order.code == code and order.direction == BUY)

    def market_value(self, code: str) -> int:
        """Shares held at the last price (at cost where no price was seen)."""
        position = self._portfolio.ledger.positions.get(code)
        if position is None:
            return 0
        price = self._windows.price(code)
        return price * position.volume if price else position.cost

    def positions_value(self) -> int:
        """All shares held, at the last prices."""
        return sum(map(self.market_value, self._portfolio.ledger.positions))

    def total_value(self) -> int:
        """Cash, frozen cash and positions."""
        return self._portfolio.ledger.cash + self._portfolio.ledger.frozen + self.positions_value()

    def committed(self, code: str) -> int:
        """Position and cash frozen by open buys of one code."""
        orders = self._portfolio.open_orders.values()
        return self.market_value(code) + sum(order.frozen for order in orders if order.code == code)

    def committed_total(self) -> int:
        """Positions and cash frozen by open buys, of all codes."""
        return self.positions_value() + self._portfolio.ledger.frozen

    # ---- market ----

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
