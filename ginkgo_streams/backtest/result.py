"""The result of a backtest as JSON carries it: money in CNY, times RFC 3339 UTC, volumes in shares."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from ginkgo_streams.backtest.journal import Journal, OrderLine
from ginkgo_streams.backtest.machine import Machine
from ginkgo_streams.backtest.run import Plan
from ginkgo_streams.backtest.statistics import Statistics, statistics
from ginkgo_streams.domain.events import BUY, TS, UNIT
from ginkgo_streams.messages import Number, iso, number

VERSION = 1


class Trade(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fill. order_time: when the order was made; profit: of one that closes, after all fees (one that opens has 0); short: of a short
    position: a sale that opens it, a buy that closes it."""

    order_id: str
    code: str
    side: str
    volume: int
    price: Number
    amount: Number
    commission: Number
    stamp_duty: Number
    transfer_fee: Number
    fees: Number
    time: str
    order_time: str
    reason: str
    profit: Number
    short: bool = False

    @property
    def closes(self) -> bool:
        """Whether it closes a position: else it opens one or adds to it."""
        return (self.side == "SELL") != self.short


class OrderResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order and its end: filled, cancelled, rejected, expired, or open when the bars ended. limit: None for a market order; volume:
    None where an order by value has not filled; short: as in `Trade`, false where nothing has filled."""

    order_id: str
    code: str
    side: str
    volume: int | None
    limit: Number | None
    time: str
    reason: str
    end: str
    end_time: str | None
    end_reason: str
    filled: int
    amount: Number
    fees: Number
    profit: Number
    short: bool = False

    @property
    def closes(self) -> bool:
        """Whether it closes a position: else it opens one or adds to it."""
        return (self.side == "SELL") != self.short


class Equity(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a trading day. exposure: value of the positions, less that of shorts, over the total value, whose the
    daily_return is."""

    date: str
    cash: Number
    positions_value: Number
    total_value: Number
    daily_return: float
    exposure: float
    positions: int


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A position at the end. volume, market_value: negative for a short; cost: what it cost, of a short what it was sold for."""

    code: str
    volume: int
    cost: Number
    price: Number
    market_value: Number


class RiskEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A risk manager blocked, cut or forced an order."""

    time: str
    code: str
    side: str
    by: str
    message: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A backtest. refusals: signals that led to no order, and reports dropped, by reason. seconds: wall time of the run."""

    version: int
    portfolio_id: str
    name: str
    config: dict[str, Any]
    market: str
    initial_cash: Number
    start_date: str
    end_date: str
    bars: int
    codes: list[str]
    warnings: list[str]
    final_cash: Number
    final_value: Number
    statistics: Statistics
    trades: list[Trade]
    orders: list[OrderResult]
    equity: list[Equity]
    positions: list[Held]
    refusals: dict[str, int]
    risk_events: list[RiskEvent]
    updates_refused: dict[str, int]
    dividends: Number
    seconds: float = 0.0


class BadResult(ValueError):
    """A file that is no result of a backtest."""


def results(plan: Plan, machine: Machine, seconds: float = 0.0) -> list[Result]:
    """The result of each portfolio of a run, in the order of the plan."""
    from ginkgo_streams.backtest.run import trading_days

    traded = set(trading_days(plan.profile, plan.bars.data[TS, plan.bars.edges[:-1]]).tolist())
    return [_result(plan, machine, spec.portfolio_id, traded, seconds) for spec in plan.portfolios]


def _result(plan: Plan, machine: Machine, portfolio_id: str, traded: set[int], seconds: float) -> Result:
    portfolio, journal, view = (
        machine.portfolios.portfolios[portfolio_id],
        machine.journals[portfolio_id],
        machine.portfolios.view(portfolio_id),
    )
    n = number
    equity = _equity(journal, traded, portfolio.ledger.initial)
    trades = _trades(journal)
    orders = [_order(line) for line in journal.orders.values()]
    warnings = list(plan.bars.warnings)
    if machine.portfolios.refused:
        told = ", ".join(f"{count} ({reason})" for reason, count in sorted(machine.portfolios.refused.items()))
        warnings.append(f"bars that the portfolios did not take: {told}")
    return Result(
        version=VERSION, portfolio_id=portfolio_id, name=portfolio.name, config=portfolio.config, market=plan.profile.name,
        initial_cash=number(portfolio.ledger.initial), start_date=_date(min(traded)), end_date=_date(max(traded)), bars=len(plan.bars),
        codes=list(plan.bars.codes), warnings=warnings, final_cash=number(view.cash + view.frozen), final_value=number(view.total_value),
        statistics=statistics(portfolio.ledger.initial / UNIT, equity, orders, trades),
        trades=trades, orders=orders, equity=equity,
        positions=[
            Held(code=p.code, volume=p.direction * p.volume, cost=n(p.cost), price=n(p.current_price), market_value=n(p.market_value))
            for p in view.positions
        ],
        refusals=dict(sorted(portfolio.drops.items())),
        risk_events=[
            RiskEvent(time=iso(a.ts), code=a.details["code"], side=_side(a.details["direction"]), by=a.details["by"], message=a.message)
            for a in journal.risk
        ],
        updates_refused=dict(sorted(machine.portfolios.refused.items())), dividends=number(journal.income), seconds=round(seconds, 3),
    )  # fmt: skip


def _equity(journal: Journal, traded: set[int], initial: int) -> list[Equity]:
    found: list[Equity] = []
    before = initial
    for day, end in sorted(journal.days.items()):
        if day not in traded:
            continue
        total = end.row.total_value
        found.append(Equity(
            date=_date(day), cash=number(total - end.held), positions_value=number(end.held), total_value=number(total),
            daily_return=total / before - 1, exposure=end.held / total if total else 0.0, positions=end.row.position_count,
        ))  # fmt: skip
        before = total
    return found


def _trades(journal: Journal) -> list[Trade]:
    n = number
    return [
        Trade(
            order_id=f.order.order_id, code=f.order.code, side=_side(f.order.direction), volume=f.report.volume, price=n(f.report.price),
            amount=n(f.report.amount), commission=n(f.report.commission), stamp_duty=n(f.report.stamp_duty),
            transfer_fee=n(f.report.transfer_fee), fees=n(f.report.commission + f.report.stamp_duty + f.report.transfer_fee),
            time=iso(f.report.ts), order_time=iso(f.order.ts), reason=f.order.reason, profit=n(f.profit), short=f.short,
        )
        for f in journal.fills
    ]  # fmt: skip


def _order(line: OrderLine) -> OrderResult:
    order = line.order
    volume: int | None = order.volume
    if order.budget:
        volume = line.filled or None
    return OrderResult(
        order_id=order.order_id, code=order.code, side=_side(order.direction), volume=volume,
        limit=number(order.limit) if order.limit else None, time=iso(order.ts), reason=order.reason, end=line.end,
        end_time=iso(line.end_ts) if line.end_ts else None, end_reason=line.end_reason, filled=line.filled, amount=number(line.amount),
        fees=number(line.fees), profit=number(line.profit), short=line.short,
    )  # fmt: skip


def _side(direction: int) -> str:
    return "BUY" if direction == BUY else "SELL"


def _date(day: int) -> str:
    return date.fromordinal(day).isoformat()


def refusals_by_reason(result: Result) -> Counter[str]:
    """What the risk chain did, by risk manager and what it did with the order."""
    return Counter(f"{event.by}: {_did(event.message, event.by)}" for event in result.risk_events)


def _did(message: str, by: str) -> str:
    said = message.removeprefix(f"{by} ")
    words = {"sells": "sold", "buys": "bought back", "cut": "cut"}
    return words.get(said.partition(" ")[0], "blocked")


def encode_result(result: Result) -> bytes:
    """The JSON of a result."""
    return msgspec.json.encode(result)


def read_result(path: Path) -> Result:
    """A result from a file. Raises BadResult."""
    try:
        result = msgspec.json.decode(path.read_bytes(), type=Result)
    except OSError as error:
        raise BadResult(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise BadResult(f"{path}: is no result of `ginkgo backtest run --json`: {error}") from error
    if result.version != VERSION:
        raise BadResult(f"{path}: has version {result.version}, this Ginkgo reads {VERSION}; run the backtest again")
    return result
