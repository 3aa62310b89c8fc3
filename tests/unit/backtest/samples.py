"""Bars and portfolios for tests of the backtest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from math import inf
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ginkgo_streams.backtest.result import Result, results
from ginkgo_streams.backtest.run import Plan, PortfolioSpec, run
from ginkgo_streams.bars.load import Source, load_bars
from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.cn import cn
from ginkgo_streams.domain.market.generic import generic
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.registry import Registry, builtin
from ginkgo_streams.sessions import trading_calendar
from tests.unit.domain.market.shanghai import profile as shanghai

CN = shanghai()
FREE = ExchangeSettings(participation=inf)
HEADER = "date,open,high,low,close,volume"

Row = tuple[float, float, float, float, int]
"""Open, high, low, close, volume."""


def days(count: int, first: str = "2026-01-05", market: Profile = CN) -> list[date]:
    """Trading days of 2026."""
    found = [date.fromisoformat(first) + timedelta(n) for n in range(count * 3)]
    return [day for day in found if market.is_trading_day(day.toordinal())][:count]


def real_days(count: int) -> list[date]:
    """Trading days from 2024 on, by the calendar that the command uses."""
    return days(count, "2024-01-02", cn(trading_calendar()))


def flat(price: float, volume: int = 1_000_000) -> Row:
    """A bar that does not move."""
    return price, price, price, price, volume


def walk(count: int, seed: int, start: float = 10.0, spread: float = 0.03) -> list[Row]:
    """A random walk within limits of 10 % a day, on the tick."""
    rng = np.random.default_rng(seed)
    rows, last = [], start
    for _ in range(count):
        opening, close = (round(last * (1 + float(rng.uniform(-spread, spread))), 2) for _ in range(2))
        opening, close = max(opening, 1.0), max(close, 1.0)
        high, low = round(max(opening, close) + 0.02, 2), round(min(opening, close) - 0.02, 2)
        rows.append((opening, high, low, close, int(rng.integers(100_000, 10_000_000))))
        last = close
    return rows


def write(path: Path, rows: Iterable[Row], dates: Iterable[Any], header: str = HEADER) -> Path:
    """A CSV of bars."""
    lines = [f"{day},{','.join(map(str, row))}" for day, row in zip(dates, rows, strict=False)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def portfolio(strategy: str = "TrendFollowStrategy", params: Any = None, sizer: str = "FixedVolumeSizer", sized: Any = None,
              risks: Iterable[tuple[str, Any]] = (), **others: Any) -> dict[str, Any]:  # fmt: skip
    """A config."""
    return {
        "strategy": {"name": strategy, "params": params or {}},
        "sizer": {"name": sizer, "params": {"volume": 1_000} if sized is None else sized},
        "risk_managements": [{"name": name, "params": given} for name, given in risks], **others,
    }  # fmt: skip


class ByDateParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """plan: ISO date of a bar's end (UTC) to what to say then, "buy CODE", "sell CODE" (several with commas) or "raise"."""

    plan: dict[str, str] = {}


class ByDateStrategy:
    """Says on a day what it is told to."""

    kind: Kind = "strategy"
    component_id = "by_date_strategy_uuid"
    Params = ByDateParams

    def __init__(self, params: ByDateParams) -> None:
        self.plan = params.plan

    def history(self) -> int:
        return 1

    def signals(self, batch: Any, account: Any, state: dict[str, Any]) -> Iterable[Signal]:
        ts = int(batch.ts.max())
        said = self.plan.get(str(np.datetime64(ts - 1, "ms").astype("datetime64[D]")))
        if said == "raise":
            raise ZeroDivisionError("the strategy divides by nothing")
        for each in said.split(", ") if said else ():
            side, code = each.split()
            yield Signal(code, BUY if side == "buy" else SELL, ts, "planned")


REGISTRY: Registry = builtin.plus([ByDateStrategy])


def plan(path: Path, config: Mapping[str, Any], market: Profile = CN, cash: float = 100_000, rules: ExchangeSettings = FREE,
         finalize: bool = False, **source: Any) -> Plan:  # fmt: skip
    """A plan of one portfolio."""
    bars = load_bars(Source(bars=path, **source), market)
    spec = PortfolioSpec("p1", "mine", cash, config)
    return Plan(portfolios=[spec], bars=bars, profile=market, rules=rules, finalize=finalize, registry=REGISTRY)


def outcome(made: Plan) -> Result:
    """The result of a plan."""
    return results(made, run(made))[0]


GENERIC = generic()
