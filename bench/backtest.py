"""Backtests: bars per second and peak memory, against backtesting.py, NautilusTrader and a plain pandas loop.

    python -m bench.backtest --json figures.json      (--quick: fewer bars)

Each run is a process of its own, so that its peak memory is its own. Bars are made before the clock starts, statistics behind the run
are in every side's time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SEED = 11
LOOKBACK, TOP, EVERY = 20, 10, 5
"""Of the strategy over many codes."""


Times = tuple[float, float]
"""Seconds of the clock, and of the processors (this process's and those of the processes it has waited for)."""
Figures = tuple[int, Times, dict[str, Any]]
"""How many (bars, or parameter sets), in what time, and what else came of it."""


def begin() -> Times:
    """The beginning of what is timed: what is loaded before is in no side's time."""
    times = os.times()
    return time.perf_counter(), times.user + times.system + times.children_user + times.children_system


def spent(begun: Times) -> Times:
    """The time since."""
    now = begin()
    return now[0] - begun[0], now[1] - begun[1]


def minute_frame(count: int) -> pd.DataFrame:
    """A random walk on the tick, minutes of CN sessions from 2020 on."""
    from ginkgo_streams.sessions import trading_calendar

    calendar = trading_calendar()
    per_day = np.concatenate([np.arange(9 * 60 + 31, 11 * 60 + 31), np.arange(13 * 60 + 1, 14 * 60 + 58)])
    days = [d for d in range(737_425, 739_800) if calendar.is_trading(d)][: -(-count // len(per_day))]
    base = np.array([np.datetime64("1970-01-01") + np.timedelta64(d - 719_163, "D") for d in days])
    times = (base[:, None] + per_day[None, :].astype("timedelta64[m]")).reshape(-1)[:count]
    rng = np.random.default_rng(SEED)
    close = np.round(np.clip(20 + np.cumsum(rng.normal(0, 0.01, count)), 5, 80), 2)
    opening = np.concatenate([[close[0]], close[:-1]])
    return pd.DataFrame({
        "datetime": times, "open": opening, "high": np.maximum(opening, close), "low": np.minimum(opening, close), "close": close,
        "volume": rng.integers(10_000, 1_000_000, count),
    })  # fmt: skip


def one_code(count: int) -> Figures:
    """Ours: one code of minute bars, moving averages 5/20, all rules of CN."""
    from ginkgo_streams.domain.exchange.settings import ExchangeSettings
    from ginkgo_streams.domain.market.cn import cn
    from ginkgo_streams.sessions import trading_calendar

    return _one_code(count, cn(trading_calendar()), ExchangeSettings())


def one_code_free(count: int) -> Figures:
    """Ours without the rules of CN, commission only: what was bought may be sold at once, so it trades as often as the others."""
    from ginkgo_streams.domain.exchange.settings import ExchangeSettings
    from ginkgo_streams.domain.market.generic import generic

    return _one_code(count, generic(commission_rate=300), ExchangeSettings(participation=inf))


def _one_code(count: int, profile: Any, rules: Any) -> Figures:
    from ginkgo_streams.backtest.result import results
    from ginkgo_streams.backtest.run import Plan, PortfolioSpec, run
    from ginkgo_streams.bars.load import frame_bars

    bars = frame_bars({"000001.SZ": minute_frame(count)}, profile)
    config = {"strategy": {"name": "TrendFollowStrategy"}, "sizer": {"name": "FixedVolumeSizer", "params": {"volume": 1_000}}}
    plan = Plan(portfolios=[PortfolioSpec("p", "p", 1_000_000, config)], bars=bars, profile=profile, rules=rules)
    begun = begin()
    result = results(plan, run(plan))[0]
    return count, spent(begun), {"fills": len(result.trades)}


def one_code_backtesting(count: int) -> Figures:
    """backtesting.py on the same bars and averages."""
    os.environ["TQDM_DISABLE"] = "1"  # its progress bar, shown where tqdm is installed, is no part of the work
    from backtesting import Backtest, Strategy
    from backtesting.lib import crossover

    class Cross(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            close = pd.Series(self.data.Close)
            self.short = self.I(lambda: close.rolling(5).mean())
            self.long = self.I(lambda: close.rolling(20).mean())

        def next(self) -> None:
            if crossover(self.short, self.long):
                if not self.position:
                    self.buy(size=1_000)
            elif crossover(self.long, self.short):
                self.position.close()

    frame = minute_frame(count).set_index("datetime")
    frame.columns = [name.capitalize() for name in frame.columns]
    test = Backtest(frame, Cross, cash=1_000_000, commission=0.0003)
    begun = begin()
    stats = test.run()
    return count, spent(begun), {"trades": int(stats["# Trades"])}


def one_code_nautilus(count: int) -> Figures:
    """NautilusTrader's low-level engine on the same bars and averages, a cash account, commission only."""
    from decimal import Decimal

    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model import Bar, BarType, InstrumentId, Money, Price, Quantity, Symbol, TraderId, Venue
    from nautilus_trader.model.currencies import CNY
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.model.instruments import Equity
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.trading.strategy import Strategy

    venue, fee = Venue("XSHE"), Decimal("0.0003")
    code = InstrumentId(Symbol("000001"), venue)
    bar_type = BarType.from_str(f"{code}-1-MINUTE-LAST-EXTERNAL")
    instrument = Equity(
        instrument_id=code, raw_symbol=Symbol("000001"), currency=CNY, price_precision=2, price_increment=Price.from_str("0.01"),
        lot_size=Quantity.from_int(100), ts_event=0, ts_init=0, maker_fee=fee, taker_fee=fee,
    )  # fmt: skip

    class Cross(Strategy):  # type: ignore[misc]
        def on_start(self) -> None:
            self.short, self.long, self.before = SimpleMovingAverage(5), SimpleMovingAverage(20), 0.0
            for average in (self.short, self.long):
                self.register_indicator_for_bars(bar_type, average)
            self.subscribe_bars(bar_type)

        def on_bar(self, bar: Bar) -> None:
            if not self.indicators_initialized():
                return
            before, self.before = self.before, self.short.value - self.long.value
            if self.before > 0 >= before and self.portfolio.is_flat(code):
                self.submit_order(self.order_factory.market(code, OrderSide.BUY, instrument.make_qty(1_000)))
            elif self.before < 0 <= before and self.portfolio.is_net_long(code):
                self.close_all_positions(code)

    frame = minute_frame(count).set_index("datetime").tz_localize("Asia/Shanghai").tz_convert("UTC")
    quiet = LoggingConfig(bypass_logging=True)
    engine = BacktestEngine(BacktestEngineConfig(trader_id=TraderId("BENCH-001"), logging=quiet))
    engine.add_venue(venue, OmsType.NETTING, AccountType.CASH, [Money(1_000_000, CNY)], base_currency=CNY)
    engine.add_instrument(instrument)
    engine.add_data(BarDataWrangler(bar_type, instrument).process(frame.astype("float64")))
    engine.add_strategy(Cross())
    begun = begin()
    engine.run()
    return count, spent(begun), {"fills": len(engine.trader.generate_fills_report())}


def daily_matrix(codes: int, days: int) -> tuple[list[str], np.typing.NDArray[np.float64]]:
    """Closes of many codes, shape (days, codes)."""
    rng = np.random.default_rng(SEED)
    closes = np.round(10 * np.exp(np.cumsum(rng.normal(0, 0.015, (days, codes)), axis=0)), 2)
    names = [f"{n:06d}.SZ" if n < 300_000 else f"{n + 300_000:06d}.SH" for n in range(1, codes + 1)]
    return names, np.clip(closes, 1, 500)


def many_codes(codes: int, days: int) -> Figures:
    """Ours: daily bars of many codes, one portfolio that holds those that have risen most, all rules of CN."""
    from ginkgo_streams.backtest.result import results
    from ginkgo_streams.backtest.run import Plan, PortfolioSpec, run
    from ginkgo_streams.bars.columns import Bars
    from ginkgo_streams.domain import events as e
    from ginkgo_streams.domain.exchange.settings import ExchangeSettings
    from ginkgo_streams.domain.market.cn import cn
    from ginkgo_streams.sessions import trading_calendar

    profile = cn(trading_calendar())
    names, closes = daily_matrix(codes, days)
    calendar = [d for d in range(737_425, 739_800) if profile.is_trading_day(d)][:days]
    units = np.rint(closes * e.UNIT).astype(np.int64)
    data = np.zeros((len(e.FIELDS), days * codes), np.int64)
    data[e.TS] = np.repeat([profile.close_ts(d) for d in calendar], codes)
    data[e.SEQ] = -1
    for field in (e.OPEN, e.HIGH, e.LOW, e.CLOSE, e.PRICE):
        data[field] = units.reshape(-1)
    data[e.PREV_CLOSE, codes:] = units[:-1].reshape(-1)
    data[e.VOLUME] = 1_000_000
    data[e.INTERVAL] = 86_400_000
    bars = Bars(tuple(names), data, np.tile(np.arange(codes), days), True)
    strategy = {"name": "CrossSectionalMomentumStrategy", "params": {"lookback": LOOKBACK, "top_n": TOP, "rebalance_days": EVERY}}
    config = {"strategy": strategy, "sizer": {"name": "FixedVolumeSizer", "params": {"volume": 1_000}}}
    plan = Plan(portfolios=[PortfolioSpec("p", "p", 1_000_000, config)], bars=bars, profile=profile, rules=ExchangeSettings())
    begun = begin()
    result = results(plan, run(plan))[0]
    return len(bars), spent(begun), {"fills": len(result.trades)}


def many_codes_pandas(codes: int, days: int) -> Figures:
    """A plain loop, day by day: every few days the codes that have risen most are held, at the next close, commission only."""
    names, closes = daily_matrix(codes, days)
    frame = pd.DataFrame(closes, columns=names)
    begun = begin()
    risen = frame / frame.shift(LOOKBACK)
    cash, fills = 1_000_000.0, 0
    held: set[str] = set()
    values = []
    for i in range(LOOKBACK + 1, days):
        prices = frame.iloc[i]
        if i % EVERY == 0:
            chosen = set(risen.iloc[i - 1].nlargest(TOP).index)
            for code in held - chosen:
                cash += prices[code] * 1_000 * (1 - 0.0003)
                fills += 1
            held &= chosen
            for code in chosen - held:
                if prices[code] * 1_000 * 1.0003 <= cash:
                    cash -= prices[code] * 1_000 * 1.0003
                    held.add(code)
                    fills += 1
        values.append(cash + 1_000 * prices[list(held)].sum())
    return codes * days, spent(begun), {"fills": fills}


def sweep_of(jobs: int, bars: int, sets: int) -> Figures:
    """Ours: parameter sets over one code of minute bars, on so many cores. The count is of sets."""
    from ginkgo_streams.backtest.run import Plan, PortfolioSpec
    from ginkgo_streams.backtest.sweep import sweep
    from ginkgo_streams.bars.load import frame_bars
    from ginkgo_streams.domain.exchange.settings import ExchangeSettings
    from ginkgo_streams.domain.market.cn import cn
    from ginkgo_streams.sessions import trading_calendar

    profile = cn(trading_calendar())
    made = frame_bars({"000001.SZ": minute_frame(bars)}, profile)
    config = {"strategy": {"name": "TrendFollowStrategy"}, "sizer": {"name": "FixedVolumeSizer", "params": {"volume": 1_000}}}
    plan = Plan(portfolios=[PortfolioSpec("p", "p", 1_000_000, config)], bars=made, profile=profile, rules=ExchangeSettings())
    begun = begin()
    found = sweep(plan, {"strategy.long_period": list(range(10, 10 + sets))}, jobs)
    return len(found), spent(begun), {"failed": sum(bool(each.error) for each in found)}


def _child(name: str, arguments: tuple[int, ...], pipe: Any) -> None:
    try:
        count, (seconds, cpu), more = globals()[name](*arguments)
    except ModuleNotFoundError as error:
        pipe.send({"missing": f"{error.name} is not installed: pip install '.[bench]'"})
        return
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    rates = {"per_s": round(count / seconds, 1), "per_cpu_s": round(count / cpu, 1)}
    pipe.send({"count": count, "seconds": round(seconds, 3), "cpu_s": round(cpu, 3), **rates, "peak_mb": peak // 1024, **more})


def measured(function: Callable[..., Any], *arguments: int) -> dict[str, Any]:
    """The figures of a function, run in a process of its own; {"missing": why} where what it needs is not installed."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(function.__name__, arguments, theirs))
    process.start()
    theirs.close()
    try:
        found: dict[str, Any] = ours.recv()
    except EOFError:
        raise RuntimeError(f"{function.__name__} ended without figures") from None
    finally:
        process.join()
    return found


def measure(quick: bool = False) -> dict[str, Any]:
    """All of it. Ratios are of the rates by the clock, and by processor time, which other work on the machine disturbs less."""
    minutes, codes, days, sets = (20_000, 400, 100, 6) if quick else (200_000, 4_000, 500, 50)
    found: dict[str, Any] = {
        "one_code": measured(one_code, minutes), "one_code_free": measured(one_code_free, minutes),
        "one_code_backtesting": measured(one_code_backtesting, minutes),
        "one_code_nautilus": measured(one_code_nautilus, minutes),
        "many_codes": measured(many_codes, codes, days), "many_codes_pandas": measured(many_codes_pandas, codes, days),
    }  # fmt: skip
    cores = max(os.cpu_count() or 1, 2)
    found |= {f"sweep_{jobs}": measured(sweep_of, jobs, minutes, sets) for jobs in (1, cores)}
    pairs = {
        "backtesting": ("one_code", "one_code_backtesting"), "nautilus": ("one_code", "one_code_nautilus"),
        "free_backtesting": ("one_code_free", "one_code_backtesting"), "free_nautilus": ("one_code_free", "one_code_nautilus"),
        "pandas": ("many_codes", "many_codes_pandas"),
    }  # fmt: skip
    for rate in ("per_s", "per_cpu_s"):
        sides = {name: (found[ours].get(rate), found[theirs].get(rate)) for name, (ours, theirs) in pairs.items()}
        found[f"ratio_{rate}"] = {name: ours / theirs for name, (ours, theirs) in sides.items() if ours and theirs}
    found["sweep"] = {"processes": cores, "ratio": found[f"sweep_{cores}"]["per_s"] / found["sweep_1"]["per_s"]}
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--quick", action="store_true", help="fewer bars")
    options = parser.parse_args()
    found = measure(options.quick)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    for name, figures in found.items():
        print(f"{name:<22} " + ", ".join(f"{k} {v:,.2f}" if not isinstance(v, str) else v for k, v in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
