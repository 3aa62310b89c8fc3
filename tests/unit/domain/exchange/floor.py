"""A trading floor for tests: builds orders and price updates in words, and drives an exchange with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ginkgo_streams.domain.events import BUY, FIELDS, Cancel, Order, Quotes, Report
from ginkgo_streams.domain.exchange.exchange import Exchange, ExchangeChanges, Fresh
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.profile import Profile
from tests.unit.domain.market.shanghai import at, profile

CODE = "000001.SZ"
DATE = "2026-11-23"
"""A Monday."""


def always(key: str) -> bool:
    """Every input is new."""
    return True


def ts(time: str) -> int:
    """A time of the test's day ("10:00:03") or an ISO date and time, in Shanghai."""
    return at(time if "T" in time else f"{DATE}T{time}")


def units(cny: float) -> int:
    """CNY to units."""
    return round(cny * 10_000)


def row(time: str | int, price: float, volume: float = 100_000, **others: float) -> list[int]:
    """One column of `Quotes.data`: prices in CNY; seq, interval and volumes as they are."""
    values = dict.fromkeys(FIELDS, 0) | {"ts": ts(time) if isinstance(time, str) else time, "seq": -1, "price": units(price)}
    values["volume"] = int(volume)
    for name, value in others.items():
        values[name] = int(value) if name in ("seq", "interval", "bid_volume", "ask_volume") else units(value)
    return [values[name] for name in FIELDS]


def quotes(*rows: list[int], codes: tuple[str, ...] | None = None) -> Quotes:
    """Updates of one code (or of the codes given, one each)."""
    return Quotes(codes or (CODE,) * len(rows), np.array(rows, np.int64).reshape(len(rows), len(FIELDS)).T)


def order(
    order_id: str = "o1", volume: int = 1_000, limit: float = 0, time: str | int = "10:00:00", direction: int = BUY, code: str = CODE
) -> Order:
    """An order; limit in CNY, 0 for a market order."""
    return Order(
        order_id=order_id, portfolio_id="p1", code=code, direction=direction, volume=volume, limit=units(limit),
        ts=ts(time) if isinstance(time, str) else time, reason="test",
    )  # fmt: skip


def cancel(order_id: str = "o1", time: str = "10:01:00") -> Cancel:
    """The cancel of an order."""
    return Cancel(order_id=order_id, portfolio_id="p1", code=CODE, ts=ts(time))


@dataclass
class Floor:
    """An exchange that has seen the code at 10.00 (previous close 10.00) at 09:59:57, and what it has reported since."""

    settings: ExchangeSettings = field(default_factory=ExchangeSettings)
    profile: Profile = field(default_factory=profile)
    opened: bool = True

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.profile, self.settings)
        self.reports: list[Report] = []
        self.dirty: list[str] = []
        if self.opened:
            self.quote("09:59:57", 10.0, prev_close=10.0, bid=9.99, ask=10.01)

    def _take(self, changes: ExchangeChanges) -> list[Report]:
        self.reports += changes.reports
        self.dirty = changes.dirty
        return changes.reports

    def quote(self, time: str | int, price: float, volume: float = 100_000, **others: float) -> list[Report]:
        """One price update of the code."""
        return self._take(self.exchange.on_quotes(quotes(row(time, price, volume, **others)), always))

    def clock(self, time: str, fresh: Fresh = always) -> list[Report]:
        """The clock."""
        return self._take(self.exchange.on_clock(ts(time), fresh))

    def submit(self, value: Order) -> list[Report]:
        """An order."""
        return self._take(self.exchange.submit(value))

    def cancel(self, value: Cancel) -> list[Report]:
        """A cancel."""
        return self._take(self.exchange.cancel(value))


def kinds(reports: list[Report]) -> list[str]:
    """What kinds of report they are."""
    return [report.kind for report in reports]
