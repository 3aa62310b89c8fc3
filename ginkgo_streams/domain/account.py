"""A portfolio's money and shares at the last prices: what components may look at, and not change."""

from __future__ import annotations

from ginkgo_streams.domain.events import BUY
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.domain.windows import Windows


class Account:
    """Read-only. Money in units of 0.0001 CNY, volumes in shares. day: the trading day an order would be good for now."""

    __slots__ = ("_portfolio", "_t_plus_one", "_windows", "day")

    def __init__(self, portfolio: Portfolio, windows: Windows, profile: Profile, day: int) -> None:
        self._portfolio = portfolio
        self._windows = windows
        self._t_plus_one = profile.t_plus_one
        self.day = day

    @property
    def cash(self) -> int:
        """Free cash."""
        return self._portfolio.ledger.cash

    @property
    def codes(self) -> list[str]:
        """Codes held."""
        return list(self._portfolio.ledger.positions)

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
