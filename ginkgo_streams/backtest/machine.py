"""Portfolios and exchange in lockstep: each input is done with all that follows from it before the next comes.

What the live pipeline does with Kafka between its parts is done here by calls, on the same state and in one order: the exchange sees a
price first, and what it fills is booked before the portfolios see that price; their orders are at the exchange before the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.backtest.journal import Journal
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.events import PER, Cancel, Command, CorporateAction, Order, Quotes, Report
from ginkgo_streams.domain.exchange.exchange import Exchange, ExchangeChanges, always
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.orders import OpenOrder
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.domain.portfolios import Portfolios
from ginkgo_streams.domain.registry import Registry, builtin

ZONES = {"CN": timezone(timedelta(hours=8))}
NAMED = 5
"""Codes of a moment that an error names."""


class RunFailed(Exception):
    """A portfolio has failed: the text says at which bar, of which codes, and why. `error`: what a component raised, else None."""

    def __init__(self, text: str, error: BaseException | None = None) -> None:
        super().__init__(text)
        self.error = error


class Machine:
    """One market with its portfolios. Deterministic. Raises RunFailed where a portfolio fails, LedgerBroken where books do not add up."""

    def __init__(self, profile: Profile, rules: ExchangeSettings, registry: Registry = builtin, *, fills_first: bool = True) -> None:
        """fills_first: whether a fill is booked before the portfolio sees the price that gave it; live it may come before or after."""
        self.profile = profile
        self.portfolios = Portfolios(profile, registry)
        self.exchange = Exchange(profile, rules)
        self.journals: dict[str, Journal] = {}
        self.fills_first = fills_first
        self._moment: Quotes | None = None
        self._untold: Quotes | None = None  # prices that the exchange has not seen yet: it had no order

    # ---- inputs ----

    def create(self, portfolio_id: str, name: str, cash: object, config: Mapping[str, Any], ts: int) -> None:
        """A running portfolio. cash: CNY, as `portfolio.create` takes it. Raises RunFailed where config or cash are wrong."""
        self.journals[portfolio_id] = Journal()
        params = {"name": name, "user_id": "backtest", "initial_cash": cash, "config": dict(config)}
        for kind, given in (("portfolio.create", params), ("portfolio.start", {})):
            self.command(Command(command_id=f"{portfolio_id}/{kind}", command_type=kind, target_id=portfolio_id, params=given, ts=ts))

    def command(self, command: Command) -> None:
        """A control command."""
        self._follow(self.portfolios.on_command(command))

    def quotes(self, quotes: Quotes) -> None:
        """The prices of one moment."""
        self._moment = quotes
        if self.fills_first:
            self._reports(self.exchange.on_quotes(quotes, always))
            self._follow(self.portfolios.on_quotes(quotes, always, always))
        else:
            made = self.portfolios.on_quotes(quotes, always, always)
            self._reports(self.exchange.on_quotes(quotes, always))
            self._follow(made)

    def known(self, quotes: Quotes, day: int, before: NDArray[np.int64]) -> None:
        """`quotes` of what was judged beforehand, fills first: see `Portfolios.on_known`. Where moments are passed over no order is open,
        and the exchange needs the last price only: before an order comes, and at the end of the day."""
        self._moment = self._untold = quotes
        if not self.exchange.idle:
            self._tell()
        self._follow(self.portfolios.on_known(quotes, day, before))

    def clock(self, ts: int) -> None:
        """Event time has come to ts (ms)."""
        self._tell()
        if self.fills_first:
            self._reports(self.exchange.on_clock(ts, always))
            self._follow(self.portfolios.on_clock(ts, always))
        else:
            made = self.portfolios.on_clock(ts, always)
            self._reports(self.exchange.on_clock(ts, always))
            self._follow(made)

    def action(self, action: CorporateAction) -> None:
        """A dividend or split, before the first price of its ex-date. Open sells of a code whose shares become fewer are cancelled."""
        if action.split < PER:
            for portfolio_id, portfolio in self.portfolios.portfolios.items():
                for order in list(portfolio.open_orders.values()):
                    if order.code == action.code:
                        self._send(order.cancel(portfolio_id))
        for journal in self.journals.values():
            journal.converted(action)
        self.exchange.on_action(action)
        self._follow(self.portfolios.on_action(action))

    # ---- for the end of a run ----

    def price(self, code: str) -> int:
        """The last price of a code, units (0: none was seen)."""
        return self.portfolios.price(code)

    def made(self, portfolio: Portfolio, order: OpenOrder) -> None:
        """An order was made outside of trading, and does not go to the exchange."""
        self.journals[portfolio.portfolio_id].ordered(order.submission(portfolio.portfolio_id))

    def deliver(self, report: Report) -> None:
        """A report that does not come from the exchange."""
        self._report(report)

    # ---- what follows ----

    def _reports(self, changes: ExchangeChanges) -> None:
        for report in changes.reports:
            self._report(report)

    def _report(self, report: Report) -> None:
        portfolio = self.portfolios.portfolios[report.portfolio_id]
        order = portfolio.open_orders.get(report.order_id)
        news = order is not None and report.report_seq == order.report_seq + 1
        changes = self.portfolios.on_report(report)
        if news:
            self.journals[report.portfolio_id].reported(report)
        self._follow(changes)

    def _follow(self, changes: Changes) -> None:
        if changes.failures or any(self.portfolios.portfolios[each].status == "error" for each in changes.dirty):
            self._failed(changes)
        for alert in changes.alerts:
            if alert.alert_type == "risk_triggered":
                self.journals[alert.source].risk.append(alert)
        for order in changes.orders:
            self.journals[order.portfolio_id].ordered(order)
        waiting: deque[Order | Cancel] = deque([*changes.orders, *changes.cancels])
        while waiting:
            self._send(waiting.popleft())
        for portfolio_id in changes.dirty:
            self.journals[portfolio_id].day_end(self.portfolios.portfolios[portfolio_id])

    def _tell(self) -> None:
        if self._untold is not None:
            told, self._untold = self._untold, None
            self._reports(self.exchange.on_quotes(told, always, inside=True))

    def _send(self, wish: Order | Cancel) -> None:
        self._tell()
        self._reports(self.exchange.submit(wish) if isinstance(wish, Order) else self.exchange.cancel(wish))

    def _failed(self, changes: Changes) -> None:
        failed = [p for p in self.portfolios.portfolios.values() if p.status == "error"]
        why = "; ".join(map(str, changes.failures)) or "; ".join(dict.fromkeys(p.error for p in failed))
        cause = changes.failures[0] if changes.failures else None
        where = ""
        if self._moment is not None:
            codes = ", ".join(self._moment.codes[:NAMED]) + (" …" if len(self._moment) > NAMED else "")
            where = f"at the bar of {self.moment_text(self.portfolios.newest)} of {codes}: "
        raise RunFailed(f"{where}{why}", cause.__cause__ or cause if cause is not None else None)

    def moment_text(self, ts: int) -> str:
        """A time as people of the market write it."""
        zone = ZONES.get(self.profile.name, UTC)
        return datetime.fromtimestamp(ts / 1000, zone).strftime("%Y-%m-%d %H:%M:%S")
