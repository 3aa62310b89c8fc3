"""A trading desk for tests: one slot of portfolios with the A-share rules, driven in words; it answers for the exchange too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY, FIELDS, Command, Order, Quotes, Report, ReportKind
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.domain.portfolios import Portfolios
from ginkgo_streams.domain.registry import Registry, builtin
from ginkgo_streams.domain.view import View
from tests.unit.domain.market.shanghai import at, profile

CODE, OTHER = "000001.SZ", "600000.SH"
ID = "p1"
PROFILE = profile()

Json = dict[str, Any]


def ts(time: str) -> int:
    """A time of Monday 2026-11-23 ("10:00:03"), or an ISO date and time, in Shanghai."""
    return at(time if "T" in time else f"2026-11-23T{time}")


def units(cny: float) -> int:
    """CNY to units."""
    return round(cny * 10_000)


def quote(time: str | int, price: float, code: str = CODE, **others: float) -> tuple[str, list[int]]:
    """One update: prices in CNY; seq, interval, volume as they are."""
    values = dict.fromkeys(FIELDS, 0) | {"ts": ts(time) if isinstance(time, str) else time, "seq": -1, "price": units(price)}
    for name, value in others.items():
        values[name] = int(value) if name in ("seq", "interval", "volume") else units(value)
    return code, [values[name] for name in FIELDS]


def quotes(rows: Iterable[tuple[str, list[int]]]) -> Quotes:
    """Updates in columns."""
    rows = list(rows)
    data = np.array([values for _, values in rows], np.int64).reshape(len(rows), len(FIELDS)).T
    return Quotes(tuple(code for code, _ in rows), np.ascontiguousarray(data))


def config(
    strategy: str = "TestStrategy", params: Json | None = None, risks: Iterable[tuple[str, Json]] = (), sizer: str = "FixedVolumeSizer",
    sizer_params: Json | None = None, codes: Iterable[str] | None = None, **others: Any,
) -> Json:  # fmt: skip
    """A config in the quickstart's form."""
    made: Json = {
        "strategy": {"name": strategy, "params": params or {}},
        "risk_managements": [{"name": name, "params": given} for name, given in risks],
        "sizer": {"name": sizer, "params": {"volume": 1000} if sizer_params is None else sizer_params},
    }
    if codes is not None:
        made["selector"] = {"name": "FixedSelector", "params": {"codes": list(codes)}}
    return made | others


class TestStrategy:
    """A strategy whose signals the test sets: at an update of the code it gives them all."""

    __test__ = False
    kind: Kind = "strategy"
    component_id = "test_strategy_uuid"
    planned: ClassVar[list[tuple[str, int]]] = []
    age_ms = 0
    raises: Exception | None = None
    asked: ClassVar[list[list[str]]] = []

    from ginkgo_streams.domain.selectors.all import AllParams as Params

    def __init__(self, params: Any) -> None:
        pass

    def history(self) -> int:
        """It looks at none."""
        return 1

    def signals(self, batch: Any, account: Any, state: Json) -> list[Signal]:
        """The planned signals of the codes in the batch, once."""
        type(self).asked.append(list(batch.codes))
        error = type(self).raises
        if error is not None:
            raise error
        found = [
            Signal(code, direction, int(batch.ts[batch.place[code]]) - self.age_ms, "planned")
            for code, direction in type(self).planned
            if code in batch.place
        ]
        type(self).planned = []
        return found


REGISTRY: Registry = builtin.plus([TestStrategy])


def always(key: str) -> bool:
    """Every input is new."""
    return True


@dataclass
class Desk:
    """Portfolios, started with 100,000 CNY unless told otherwise, that have seen CODE and OTHER at 10.00 (previous close
    10.00) at 09:59:57; and what has come out since."""

    config: Mapping[str, Any] = field(default_factory=config)
    cash: Any = 100_000
    started: bool = True
    opened: bool = True
    ticking: bool = True
    """Whether the clock goes with the quotes, as it does in a feed."""

    def __post_init__(self) -> None:
        TestStrategy.planned, TestStrategy.raises, TestStrategy.asked, TestStrategy.age_ms = [], None, [], 0
        self.kernel = Portfolios(PROFILE, REGISTRY)
        self.changes = Changes()
        self.seqs: dict[str, int] = {}
        self._commands = 0
        if self.opened:
            self.create(ID)
            if self.started:
                self.command("portfolio.start")
            self.quote("09:59:57", 10.0, prev_close=10.0)
            self.quote("09:59:57", 10.0, OTHER, prev_close=10.0)

    # ---- in ----

    def create(self, portfolio_id: str, **params: Any) -> Changes:
        """A portfolio with the desk's config and cash."""
        given = {"name": f"name of {portfolio_id}", "user_id": "u1", "initial_cash": self.cash, "config": self.config} | params
        return self.command("portfolio.create", portfolio_id, **given)

    def command(self, kind: str, target: str = ID, time: str = "09:00:00", command_id: str = "", **params: Any) -> Changes:
        """A control command."""
        self._commands += 1
        return self._took(self.kernel.on_command(Command(
            command_id=command_id or f"c{self._commands}", command_type=kind, target_id=target, params=params, ts=ts(time), issued_by="u1",
        )))  # fmt: skip

    def quote(self, time: str | int, price: float, code: str = CODE, **others: float) -> Changes:
        """One price update."""
        return self.quotes([quote(time, price, code, **others)])

    def quotes(self, rows: Iterable[tuple[str, list[int]]]) -> Changes:
        """Several updates in one event."""
        rows = list(rows)
        if self.ticking:
            self.kernel.on_clock(min(values[0] for _, values in rows), always)
        return self._took(self.kernel.on_quotes(quotes(rows), always, always))

    def clock(self, time: str) -> Changes:
        """The clock."""
        return self._took(self.kernel.on_clock(ts(time), always))

    def signal(self, time: str, price: float, direction: int, code: str = CODE) -> Changes:
        """An update at which the strategy gives a signal."""
        TestStrategy.planned = [(code, direction)]
        return self.quote(time, price, code)

    def report(self, order: Order, kind: ReportKind, time: str = "10:05:00", seq: int | None = None, **others: Any) -> Changes:
        """The next report of an order (or the one with the given number)."""
        self.seqs[order.order_id] = seq = seq or self.seqs.get(order.order_id, 0) + 1
        return self._took(self.kernel.on_report(Report(
            kind=kind, order_id=order.order_id, portfolio_id=order.portfolio_id, report_seq=seq, ts=ts(time), **others
        )))  # fmt: skip

    def fill(self, order: Order, cny: float, shares: int | None = None, time: str = "10:05:00", **others: Any) -> Changes:
        """A fill of what is left, or of a part, with the fees of the market; `others` replaces figures of the report."""
        open_order = self.portfolio(order.portfolio_id).open_orders[order.order_id]
        left = open_order.volume - open_order.filled
        volume = left if shares is None else shares
        amount = units(cny) * volume
        fees = PROFILE.fees(order.direction, amount, open_order.day, order.code, open_order.commission, open_order.amount)
        kind: Literal["filled", "partially_filled"] = "filled" if volume == left else "partially_filled"
        values: Json = {
            "code": order.code, "direction": order.direction, "trade_id": "t", "volume": volume, "cumulative": open_order.filled + volume,
            "remaining": left - volume, "price": units(cny), "amount": amount, "commission": fees.commission,
            "stamp_duty": fees.stamp_duty, "transfer_fee": fees.transfer_fee,
        }  # fmt: skip
        return self.report(order, kind, time, **(values | others))

    def bought(self, volume: int = 1000, price: float = 10.0, code: str = CODE, time: str = "2026-11-20T10:00:00") -> Order:
        """Hold shares, bought at that price (on the Friday before unless told otherwise), by a signal and its fill."""
        self.quote(time, price, code, prev_close=price)
        order = self.signal(f"{time[:-2]}03", price, BUY, code).orders[0]
        self.fill(order, price, time=f"{time[:-2]}04")
        assert self.view().positions[0].volume == volume
        return order

    def _took(self, changes: Changes) -> Changes:
        self.changes = changes
        for portfolio in self.kernel.portfolios.values():
            portfolio.check()
        return changes

    # ---- out ----

    def portfolio(self, portfolio_id: str = ID) -> Portfolio:
        """A portfolio's value."""
        return self.kernel.portfolios[portfolio_id]

    def view(self, portfolio_id: str = ID) -> View:
        """A portfolio as people see it."""
        return self.kernel.view(portfolio_id)

    def texts(self) -> list[str]:
        """The notes of the last event."""
        return [note.text for note in self.changes.notes]

    def alerts(self) -> list[str]:
        """The types of the alerts of the last event."""
        return [alert.alert_type for alert in self.changes.alerts]


def held(volume: int = 1000, price: float = 10.0, **given: Any) -> Desk:
    """A desk that bought CODE on Friday 2026-11-20 and has seen Monday's first price (the same)."""
    desk = Desk(opened=False, **given)
    desk.create(ID)
    desk.portfolio().day = at("2026-11-20T09:00:00") // 86_400_000 + 719_163
    desk.command("portfolio.start", time="2026-11-20T09:00:00")
    desk.bought(volume, price)
    desk.clock("2026-11-20T15:00:00")
    desk.quote("09:59:57", price, prev_close=price)
    return desk
