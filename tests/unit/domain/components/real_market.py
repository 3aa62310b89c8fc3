"""A market of real daily bars for tests of components: the backtest over it, and what pandas says of its prices, orders and books."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import ceil, floor
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from ginkgo_streams.backtest.result import Result
from ginkgo_streams.backtest.run import Plan, PortfolioSpec
from ginkgo_streams.bars.load import frame_bars
from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY
from ginkgo_streams.domain.market.cn import cn
from ginkgo_streams.sessions import trading_calendar
from tests.unit.backtest.samples import FREE, outcome, portfolio
from tests.unit.backtest.samples import REGISTRY as SAMPLES
from tests.unit.domain.bars_of_000001 import PATH

CODE, OTHER, THIRD, FOURTH = "000001.SZ", "000002.SZ", "600000.SH", "600036.SH"
CHEAPER_TRANSFER = "2022-04-29"
"""From this day on the transfer fee is 0.001 %; it was 0.002 %."""

Said = dict[str, str]
"""ISO date to what the strategy says at its close."""


class ShownParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """It has none."""


class ShownStrategy:
    """Wishes to buy every code that it is shown."""

    kind: Kind = "strategy"
    component_id = "shown_strategy_uuid"
    Params = ShownParams

    def __init__(self, params: ShownParams) -> None:
        pass

    def history(self) -> int:
        return 1

    def signals(self, batch: Any, account: Any, state: dict[str, Any]) -> Iterable[Signal]:
        return [Signal(code, BUY, int(batch.ts[place]), "shown") for place, code in enumerate(batch.codes)]


@lru_cache(maxsize=1)
def _whole() -> pd.DataFrame:
    frame = pd.read_csv(PATH)
    made = frame[["open", "high", "low", "close", "pre_close", "amount"]].assign(volume=(frame["vol"] * 100).round().astype(np.int64))
    return made.assign(date=pd.to_datetime(frame["trade_date"].astype(str)).dt.strftime("%Y-%m-%d"))


def stretch(first: str, count: int, back: int = 0) -> pd.DataFrame:
    """`count` real bars from a date on; `back`: with the figures of so many bars before, for another code. Its index numbers the trading
    days: the file has all of them."""
    whole = _whole()
    start = int(np.searchsorted(whole["date"].to_numpy(str), first))
    dated = whole.iloc[start : start + count]
    figures = whole.iloc[start - back : start - back + count].set_index(dated.index)
    return figures.assign(date=dated["date"])


def traded(market: Mapping[str, pd.DataFrame], config: Mapping[str, Any], cash: float = 1_000_000) -> Result:
    """The backtest of one portfolio over the bars of some codes, with as much to trade as it asks for and no dividends booked."""
    profile = cn(trading_calendar())
    bars = frame_bars({code: frame.drop(columns="amount", errors="ignore") for code, frame in market.items()}, profile)
    spec = PortfolioSpec("p1", "real", cash, config)
    return outcome(Plan(portfolios=[spec], bars=bars, profile=profile, rules=FREE, registry=SAMPLES.plus([ShownStrategy])))


def planned(said: Said, risk: tuple[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    """A config whose strategy says what it is told to, with one risk manager; 100 shares unless told otherwise."""
    return portfolio("ByDateStrategy", {"plan": said}, risks=[risk] if risk else [], **{"sized": {"volume": 100}} | others)


def wished(result: Result, side: str = "BUY") -> list[tuple[str, str, int | None]]:
    """The orders of one side: date, code, volume."""
    return [(order.time[:10], order.code, order.volume) for order in result.orders if order.side == side]


def acted(result: Result, risk: str) -> list[str]:
    """The dates at which a risk manager cut, blocked or forced an order."""
    return [event.time[:10] for event in result.risk_events if event.by == risk]


def limits(close: pd.Series, side: str = "BUY") -> pd.Series:
    """The limit prices of orders at these closes: a percent worse, on the tick."""
    cents = (close * (101 if side == "BUY" else 99)).round(6)
    return cents.map(ceil if side == "BUY" else floor) / 100


def missed(frame: pd.DataFrame) -> pd.Series:
    """Whether a bar does not reach a buy from the close before. That expires behind the bar's close, at which it still has its cash."""
    return frame["low"] > limits(frame["close"]).shift()


LOTS = np.arange(0, 1_000_001, 100)
"""All volumes that a buy may have."""


def costs(limit: float, date: str) -> np.typing.NDArray[np.float64]:
    """What each of LOTS costs at a limit, all fees included: commission 0.03 % and at least 5 CNY, and the transfer fee."""
    amounts = LOTS * limit
    fees = np.maximum(amounts * 0.0003, 5) + amounts * (0.00001 if date >= CHEAPER_TRANSFER else 0.00002)
    return np.asarray(np.where(LOTS > 0, amounts + fees, 0), np.float64)


def buyable(budget: float, limit: float, date: str) -> int:
    """The largest of LOTS that a budget pays."""
    return int(LOTS[costs(limit, date) <= max(budget, 0) + 1e-6].max())


def books(result: Result, market: Mapping[str, pd.DataFrame], cash: float = 1_000_000) -> pd.DataFrame:
    """From the fills alone: by date the cash, the shares and the value of each code ("shares CODE", CODE) and the total at the close."""
    rows = [
        (t.time[:10], t.code, t.volume if t.side == "BUY" else -t.volume, float(-t.amount if t.side == "BUY" else t.amount) - float(t.fees))
        for t in result.trades
    ]
    trades = pd.DataFrame(rows, columns=["date", "code", "shares", "flow"])
    dates = pd.Index(next(iter(market.values()))["date"])

    def summed(flows: pd.Series) -> pd.Series:
        return flows.groupby(trades["date"]).sum().reindex(dates, fill_value=0).cumsum()

    found = pd.DataFrame({"cash": cash + summed(trades["flow"])})
    for code, frame in market.items():
        found[f"shares {code}"] = summed(trades["shares"].where(trades["code"] == code, 0))
        found[code] = found[f"shares {code}"] * frame["close"].to_numpy()
    return found.assign(total=found["cash"] + found[list(market)].sum(axis=1))


Rule = Callable[[pd.Series, float], bool]
"""(closes since the purchase, the last that of today, numbered by trading day; price paid) -> whether the position has to go."""


def loop(frame: pd.DataFrame, rule: Rule, patience: int) -> tuple[Said, list[tuple[str, str]], list[tuple[str, str, float]]]:
    """A loop that knows nothing of Ginkgo: whenever it holds nothing it wishes to buy at the close; the rule says when it has to sell
    ("FORCED"), and after so many bars it sells by itself.

    What the strategy has to be told, all orders (what, date), all fills (side, date, price).
    """
    said: Said = {}
    orders: list[tuple[str, str]] = []
    fills: list[tuple[str, str, float]] = []
    paid, since, wish = 0.0, 0, ""
    close = frame["close"]
    limit = {side: limits(close, side).to_list() for side in ("BUY", "SELL")}
    bars = zip(frame.index, *(frame[name] for name in ("date", "open", "high", "low")), strict=True)
    for i, (number, date, opening, high, low) in enumerate(bars):
        missed = False
        if wish and number == frame.index[i - 1] + 1:  # else the order's day had no bar, and it has expired
            if wish == "BUY" and low <= limit["BUY"][i - 1]:
                paid, since = min(limit["BUY"][i - 1], opening), i
                fills.append(("BUY", date, paid))
            elif wish == "SELL" and high >= limit["SELL"][i - 1]:
                fills.append(("SELL", date, max(limit["SELL"][i - 1], opening)))
                paid = 0.0
            else:
                missed = wish == "SELL"
        # the order that this bar missed expires behind the close: at the close it still has the shares
        forced = paid > 0 and not missed and rule(close.iloc[since : i + 1], paid)
        wish = "BUY" if not paid else "SELL" if forced or (i - since >= patience and not missed) else ""
        if wish:
            orders.append(("FORCED" if forced else wish, date))
        if wish and not forced:
            said[date] = f"{wish.lower()} {CODE}"
    return said, orders, fills
