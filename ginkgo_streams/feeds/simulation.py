"""The simulation feed: a seeded A-share session over a list of codes, day after day, in event time.

Same settings, same start, same series: pacing changes only when a step is sent. Each day draws from a generator
of its own, seeded by (seed, day, place of resumption), so a day does not depend on how the days before were cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.events import UNIT
from ginkgo_streams.domain.market import sessions
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.feeds.step import Step
from ginkgo_streams.messages import PriceUpdate, iso

BEFORE_OPEN_MS = 5 * 60_000
"""The clock of a new day comes this long before its first price."""

AFTER_CLOSE_MS = 60_000
"""The last clock of a day: behind the close, so that day orders have expired."""

TRADING_MS = (sessions.NOON - sessions.CONTINUOUS) + (sessions.CLOSING - sessions.AFTERNOON)
"""Continuous trading of a day; the simulated market has no auctions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSettings:
    """What the simulated market is like.

    initial_prices: code to CNY, the previous close of the first day. ticks_per_second: price updates of each code per wall
    second (0: as fast as it goes). event_step_ms: event time between two updates of a code (the exchanges send a
    snapshot every 3 s). daily_volatility and gap_volatility: standard deviation of a day's and of a night's return.
    daily_turnover: CNY traded in a code a day, on average. limit_up_probability: chance that on a day one of the codes
    runs to its upper limit and stays there. session_break_s: wall seconds between lunch or a close and what follows.
    """

    initial_prices: Mapping[str, float]
    seed: int = 1
    ticks_per_second: float = 10.0
    event_step_ms: int = 3_000
    daily_volatility: float = 0.03
    gap_volatility: float = 0.008
    daily_turnover: float = 1e9
    limit_up_probability: float = 0.3
    session_break_s: float = 1.0

    def __post_init__(self) -> None:
        problems = [f"initial price of {code} is {price!r}: must be at least 0.01 CNY" for code, price in self.initial_prices.items()
                    if not (math.isfinite(price) and price >= 0.01)]  # fmt: skip
        if not self.initial_prices:
            problems.append("initial_prices is empty: name at least one code and its price")
        if not 1 <= self.event_step_ms <= 3_600_000:
            problems.append(f"event_step_ms is {self.event_step_ms}: must be 1 to 3,600,000")
        for name in ("ticks_per_second", "daily_volatility", "gap_volatility", "daily_turnover", "session_break_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                problems.append(f"{name} is {getattr(self, name)!r}: must be a number, 0 or more")
        if not 0 <= self.limit_up_probability <= 1:
            problems.append(f"limit_up_probability is {self.limit_up_probability!r}: must be 0 to 1")
        if problems:
            raise ValueError("simulation settings: " + "; ".join(problems))


@dataclass(slots=True)
class _Market:
    """The market at one moment, a row per code, prices in units (0: none yet today)."""

    codes: list[str]
    price: NDArray[np.int64]
    prev_close: NDArray[np.int64]
    open: NDArray[np.int64]
    high: NDArray[np.int64]
    low: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Start:
    """Where a series begins: on first_day, the ordinal of a trading day, or later: only after `after_ms`, the newest event time already
    published (0: nothing was), be it in the middle of that day. last: the last update of each code, to go on from."""

    first_day: int
    after_ms: int = 0
    last: Mapping[str, PriceUpdate] = field(default_factory=dict)


def simulate(settings: SimulationSettings, start: Start, profile: Profile) -> Iterator[Step]:
    """The steps of the series from its start, without an end: prices while the sessions last, in between the clock alone
    (09:25, 11:30, 12:59:59, 15:00, 15:01), so that what waits for the close or the next day sees it come."""
    market = _opening_market(settings, start, profile.tick)
    day = start.first_day
    if start.after_ms:
        last_day = profile.calendar_day(start.after_ms)
        in_session = profile.is_trading_day(last_day) and start.after_ms < profile.close_ts(last_day)
        if day <= last_day and in_session and market.open.all():
            day = last_day
        else:
            day, market = max(day, profile.next_trading_day(last_day)), _overnight(market)
    while True:
        yield from (step for step in _day(settings, market, day, start.after_ms, profile) if step.time_ms > start.after_ms)
        market = _overnight(market)
        day = profile.next_trading_day(day)


def _opening_market(settings: SimulationSettings, start: Start, tick: int) -> _Market:
    codes = sorted(settings.initial_prices)
    initial = _on_grid(np.array([settings.initial_prices[code] * UNIT for code in codes]), tick)
    market = _Market(codes, initial, initial.copy(), *(np.zeros(len(codes), np.int64) for _ in range(3)))
    for row, code in enumerate(codes):
        if (last := start.last.get(code)) is None:
            continue
        price, previous, first, high, low = (
            round(value * UNIT) for value in (last.price, last.prev_close or last.price, last.open or 0, last.high or 0, last.low or 0)
        )
        market.price[row], market.prev_close[row], market.open[row], market.high[row], market.low[row] = price, previous, first, high, low
    return market


def _overnight(market: _Market) -> _Market:
    zeros = np.zeros_like(market.price)
    return _Market(market.codes, market.price, market.price.copy(), zeros, zeros.copy(), zeros.copy())


def _on_grid(units: NDArray[np.float64], tick: int) -> NDArray[np.int64]:
    return np.maximum(np.rint(units / tick), 1).astype(np.int64) * tick


def _moments(step_ms: int) -> Iterator[tuple[int, float]]:
    """When prices come, every step_ms of continuous trading: (ms since midnight, share of the day's trading gone, 0 to 1).
    The first of each half is its very opening; none at 11:30 or 14:57."""
    morning = sessions.NOON - sessions.CONTINUOUS
    for opening, closing, gone in ((sessions.CONTINUOUS, sessions.NOON, 0), (sessions.AFTERNOON, sessions.CLOSING, morning)):
        for time in range(opening, closing, step_ms):
            yield time, (gone + time - opening) / TRADING_MS


def _day(settings: SimulationSettings, market: _Market, day: int, after_ms: int, profile: Profile) -> Iterator[Step]:
    midnight = sessions.moment(day, 0)
    resumed = midnight + sessions.CONTINUOUS <= after_ms
    rng = np.random.default_rng([settings.seed, day, after_ms if resumed else 0])
    count = len(market.codes)
    bounds = [
        profile.price_limits(code, previous, day) or (profile.tick, previous * 4)
        for code, previous in zip(market.codes, market.prev_close.tolist(), strict=True)
    ]
    low, high = (np.array(column, np.int64) for column in zip(*bounds, strict=True))
    steps = TRADING_MS / settings.event_step_ms
    sigma = settings.daily_volatility / math.sqrt(steps)
    hidden = np.log(market.price)
    if not resumed:
        hidden += rng.normal(0, settings.gap_volatility, count)
    runner, run_from = _limit_up_plan(settings, rng, count)
    wait = 1 / settings.ticks_per_second if settings.ticks_per_second else 0.0
    pause = settings.session_break_s if settings.ticks_per_second else 0.0

    yield Step(midnight + sessions.CONTINUOUS - BEFORE_OPEN_MS, (), pause)
    afternoon = False
    for time, gone in _moments(settings.event_step_ms):
        if time >= sessions.AFTERNOON and not afternoon:
            afternoon = True
            yield Step(midnight + sessions.NOON, (), wait)
            yield Step(midnight + sessions.AFTERNOON - 1_000, (), pause)
        now = midnight + time
        if now <= after_ms:
            continue
        shape = _u_shape(gone)
        hidden += rng.normal(0, 1, count) * sigma * shape
        if runner >= 0 and gone >= run_from:
            # up in about a twentieth of the day, and then held above the limit, so that the price stays on it
            target = math.log(high[runner] * 1.02)
            hidden[runner] = min(target, hidden[runner] + 0.4 * 20 / steps) if hidden[runner] < target else target
        hidden = np.clip(hidden, np.log(low * 0.99), np.log(high * 1.03))
        price = np.clip(_on_grid(np.exp(hidden), profile.tick), low, high)
        yield Step(now, _updates(settings, market, profile, price, (low, high), now, shape / steps, rng), wait)
    yield Step(midnight + sessions.CLOSE, (), wait)
    yield Step(midnight + sessions.CLOSE + AFTER_CLOSE_MS, (), wait)


def _u_shape(gone: float) -> float:
    """Busy at the opening and the close, calm at noon: mean of its square over the day is 1."""
    return (0.6 + 1.2 * (2 * gone - 1) ** 2) / math.sqrt(0.36 + 0.48 + 0.288)


def _limit_up_plan(settings: SimulationSettings, rng: np.random.Generator, count: int) -> tuple[int, float]:
    """(row of the code that runs to its limit today, -1 for none; share of the day at which it sets out)."""
    chance, row, when = rng.random(), int(rng.integers(count)), rng.uniform(0.05, 0.6)
    return (row, float(when)) if chance < settings.limit_up_probability else (-1, 0.0)


def _updates(
    settings: SimulationSettings, market: _Market, profile: Profile, price: NDArray[np.int64],
    bounds: tuple[NDArray[np.int64], NDArray[np.int64]], time_ms: int, share_of_day: float, rng: np.random.Generator,
) -> list[PriceUpdate]:  # fmt: skip
    """Move the market to `price` and say so, one update per code. share_of_day: of a day's turnover, in this step."""
    count = len(market.codes)
    low, high = bounds
    opening = market.open == 0
    market.price = price
    market.open = np.where(opening, price, market.open)
    market.high = np.maximum(market.high, price)
    market.low = np.where(opening, price, np.minimum(market.low, price))
    shares = settings.daily_turnover * share_of_day * UNIT / price * rng.lognormal(-0.5, 1.0, count)
    volume = np.rint(shares / profile.lot).astype(np.int64) * profile.lot
    at_ask = rng.random(count) < 0.5  # the last trade was at the ask: the bid is a tick below, else the ask a tick above
    bid = np.where(at_ask, price - profile.tick, price)
    ask = np.where(at_ask, price, price + profile.tick)
    locked_up, locked_down = price >= high, price <= low
    bid, ask = np.where(locked_up, price, bid), np.where(locked_down, price, ask)
    no_ask, no_bid = locked_up | (ask > high), locked_down | (bid < low)
    depth = np.maximum(rng.lognormal(5, 1, (2, count)).astype(np.int64), 1) * profile.lot
    timestamp = iso(time_ms)
    columns = zip(
        market.codes, price.tolist(), volume.tolist(), market.open.tolist(), market.high.tolist(), market.low.tolist(),
        market.prev_close.tolist(), bid.tolist(), ask.tolist(), no_bid.tolist(), no_ask.tolist(), *depth.tolist(), strict=True,
    )  # fmt: skip
    return [
        PriceUpdate(
            timestamp=timestamp, code=code, price=p / UNIT, volume=v, open=o / UNIT, high=h / UNIT, low=lo / UNIT,
            close=p / UNIT, prev_close=pc / UNIT, bid_price=None if nb else b / UNIT, ask_price=None if na else a / UNIT,
            bid_volume=0 if nb else bv, ask_volume=0 if na else av, seq=time_ms,
        )
        for code, p, v, o, h, lo, pc, b, a, nb, na, bv, av in columns
    ]  # fmt: skip
