"""The simulated session: deterministic, inside the market's rules, and alive enough to trade on."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import islice, pairwise

import msgspec
import numpy as np
import pytest

from ginkgo_streams.domain.market import sessions
from ginkgo_streams.domain.market.cn import cn
from ginkgo_streams.feeds.simulation import SimulationSettings, Start, simulate
from ginkgo_streams.feeds.step import Step
from ginkgo_streams.messages import PriceUpdate, iso, ms, quotes, units
from ginkgo_streams.sessions import trading_calendar

PROFILE = cn(trading_calendar())
WEDNESDAY = date(2026, 11, 25).toordinal()
PRICES = {"000001.SZ": 10.0, "300750.SZ": 250.0, "688981.SH": 95.55, "920799.BJ": 1.23, "600000.SH": 7.77}


def settings(**changes: object) -> SimulationSettings:
    return msgspec.convert({"initial_prices": PRICES, "event_step_ms": 60_000, **changes}, SimulationSettings)


def days(count: int, of: SimulationSettings, start: Start | None = None) -> list[list[Step]]:
    """The steps of some whole days."""
    result: list[list[Step]] = []
    for step in simulate(of, start or Start(WEDNESDAY), PROFILE):
        day = PROFILE.calendar_day(step.time_ms)
        if not result or PROFILE.calendar_day(result[-1][0].time_ms) != day:
            if len(result) == count:
                break
            result.append([])
        result[-1].append(step)
    return result


def updates(steps: list[Step], code: str) -> list[PriceUpdate]:
    return [update for step in steps for update in step.updates if update.code == code]


def test_series_when_drawn_twice_or_at_another_pace_then_the_same() -> None:
    one = list(islice(simulate(settings(seed=7), Start(WEDNESDAY), PROFILE), 600))
    other = list(islice(simulate(settings(seed=7, ticks_per_second=500.0, session_break_s=9.0), Start(WEDNESDAY), PROFILE), 600))
    assert [(step.time_ms, step.updates) for step in one] == [(step.time_ms, step.updates) for step in other]
    assert one[5].wait_s == pytest.approx(0.1)
    assert other[5].wait_s == pytest.approx(0.002)
    different = list(islice(simulate(settings(seed=8), Start(WEDNESDAY), PROFILE), 600))
    assert [step.updates for step in different] != [step.updates for step in one]


def test_event_time_when_days_follow_then_it_rises_within_sessions_over_weekend_and_close() -> None:
    steps = [step for day in days(4, settings()) for step in day]
    assert all(one.time_ms < other.time_ms for one, other in pairwise(steps))
    dates = list(dict.fromkeys(date.fromordinal(PROFILE.calendar_day(step.time_ms)) for step in steps))
    assert dates == [date(2026, 11, 25), date(2026, 11, 26), date(2026, 11, 27), date(2026, 11, 30)]
    assert {PROFILE.phase(step.time_ms) for step in steps if step.updates} == {"continuous"}
    clocks = [iso(step.time_ms)[11:19] for step in steps if not step.updates]
    assert clocks == ["01:25:00", "03:30:00", "04:59:59", "07:00:00", "07:01:00"] * 4
    assert len(steps) == 4 * (5 + 120 + 117)


def test_prices_when_a_month_has_passed_then_all_on_the_grid_and_within_the_days_limits() -> None:
    for day in days(20, settings(daily_volatility=0.2, gap_volatility=0.1, limit_up_probability=1.0)):
        for code in PRICES:
            of_day = updates(day, code)
            low, high = PROFILE.price_limits(code, units(of_day[0].prev_close or 0), PROFILE.calendar_day(day[0].time_ms)) or (0, 0)
            so_far: list[int] = []
            for update in of_day:
                price = units(update.price)
                so_far.append(price)
                assert low <= price <= high
                assert price % PROFILE.tick == 0
                assert (units(update.open or 0), units(update.high or 0), units(update.low or 0)) == (
                    so_far[0], max(so_far), min(so_far)
                )  # fmt: skip
                if price == high:
                    assert (update.ask_price, update.ask_volume) == (None, 0), "something is for sale at limit up"
                if price == low:
                    assert (update.bid_price, update.bid_volume) == (None, 0), "somebody buys at limit down"
                if update.bid_price and update.ask_price:
                    assert units(update.ask_price) - units(update.bid_price) == PROFILE.tick
                    assert low <= units(update.bid_price) <= price <= units(update.ask_price) <= high
                assert update.volume % PROFILE.lot == 0


def test_previous_close_when_a_day_begins_then_it_is_the_last_price_of_the_day_before() -> None:
    first, second = days(2, settings())
    for code, initial in PRICES.items():
        assert {update.prev_close for update in updates(first, code)} == {initial}
        assert {update.prev_close for update in updates(second, code)} == {updates(first, code)[-1].price}


def test_updates_when_taken_by_the_kernel_then_each_code_has_rising_times_and_sequence() -> None:
    day = days(1, settings())[0]
    for step in day:
        if step.updates:
            assert len(quotes(list(step.updates))) == len(PRICES)
            assert {ms(update.timestamp) for update in step.updates} == {step.time_ms}
    sequence = [update.seq or 0 for update in updates(day, "000001.SZ")]
    assert all(one < other for one, other in pairwise(sequence))


def test_limit_up_day_when_certain_then_one_code_ends_at_its_upper_limit() -> None:
    for day in days(5, settings(limit_up_probability=1.0)):
        at_limit = Counter(
            code for code in PRICES
            if units(updates(day, code)[-1].price) == (PROFILE.price_limits(
                code, units(updates(day, code)[0].prev_close or 0), PROFILE.calendar_day(day[0].time_ms)) or (0, 0))[1]
        )  # fmt: skip
        assert sum(at_limit.values()) == 1
    assert not any(
        update.ask_price is None for day in days(5, settings(limit_up_probability=0.0)) for code in PRICES for update in updates(day, code)
    )


def test_day_when_it_passes_then_opening_and_close_are_busier_and_wilder_than_noon() -> None:
    prices = {f"{number:06}.SZ": 100.0 for number in range(1, 201)}
    (day,) = days(1, settings(initial_prices=prices, limit_up_probability=0.0, gap_volatility=0.0))
    grid = np.array([[update.price for update in step.updates] for step in day if step.updates])
    volume = np.array([[update.volume for update in step.updates] for step in day if step.updates]).sum(axis=1)
    moves = np.abs(np.diff(np.log(grid), axis=0)).mean(axis=1)
    edge, noon = [*range(20), *range(len(moves) - 20, len(moves))], range(len(moves) // 2 - 20, len(moves) // 2 + 20)
    assert moves[edge].mean() > 1.5 * moves[noon].mean()
    assert volume[edge].mean() > 1.5 * volume[noon].mean()
    spread = np.log(grid[-1] / grid[0]).std()
    assert 0.02 < spread < 0.04, "a day's volatility is not about the 3 % asked for"


def test_demo_minute_when_drawn_then_most_codes_have_crosses_of_the_5_and_20_averages() -> None:
    steps = [step for step in islice(simulate(SimulationSettings(initial_prices=PRICES), Start(WEDNESDAY), PROFILE), 600) if step.updates]
    crosses = 0
    for code in PRICES:
        prices = np.array([update.price for update in updates(steps, code)])
        short, long = (np.convolve(prices, np.ones(length) / length, "valid")[-500:] for length in (5, 20))
        crosses += int(np.count_nonzero(np.diff(np.sign(short - long))) >= 4)
    assert crosses >= len(PRICES) - 1


def test_restart_when_in_the_middle_of_a_day_then_it_goes_on_from_there_with_the_days_open_high_and_low() -> None:
    (day,) = days(1, settings())
    until = [step for step in day if step.time_ms <= sessions.moment(WEDNESDAY, sessions.AFTERNOON)]
    last = {update.code: update for update in until[-1].updates}
    (resumed,) = days(1, settings(), Start(WEDNESDAY, until[-1].time_ms, last))
    assert [step.time_ms for step in resumed] == [step.time_ms for step in day[len(until) :]]
    for code, before in last.items():
        first = updates(resumed, code)[0]
        assert (first.open, first.prev_close) == (before.open, before.prev_close)
        assert units(first.high or 0) == max(units(before.high or 0), units(first.price))
        assert abs(first.price / before.price - 1) < 0.03


@pytest.mark.parametrize("time_of_day", [sessions.CLOSE, sessions.CLOSE + 60_000])
def test_restart_when_the_day_is_over_then_the_next_trading_day_opens_from_its_prices(time_of_day: int) -> None:
    (day,) = days(1, settings())
    last = {update.code: update for update in day[-3].updates}
    friday = WEDNESDAY + 2
    (resumed,) = days(1, settings(), Start(WEDNESDAY, sessions.moment(friday, time_of_day), last))
    assert PROFILE.calendar_day(resumed[0].time_ms) == friday + 3
    assert {update.prev_close for update in updates(resumed, "000001.SZ")} == {last["000001.SZ"].price}


def test_restart_when_a_code_is_new_then_the_next_day_begins_and_has_it() -> None:
    (day,) = days(1, settings())
    middle = day[50]
    last = {update.code: update for update in middle.updates if update.code != "600000.SH"}
    (resumed,) = days(1, settings(), Start(WEDNESDAY, middle.time_ms, last))
    assert PROFILE.calendar_day(resumed[0].time_ms) == WEDNESDAY + 1
    assert len(updates(resumed, "600000.SH")) > 100


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"initial_prices": {}}, "initial_prices is empty"),
        ({"initial_prices": {"000001.SZ": 0.001}}, "initial price of 000001.SZ is 0.001"),
        ({"event_step_ms": 0}, "event_step_ms is 0"),
        ({"ticks_per_second": -1.0, "limit_up_probability": 2.0}, "ticks_per_second is -1.0.*limit_up_probability is 2.0"),
    ],
)
def test_settings_when_impossible_then_refused_with_name_and_value(changes: dict[str, object], named: str) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match=named):
        settings(**changes)
