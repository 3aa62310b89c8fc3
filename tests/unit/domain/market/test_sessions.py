"""Sessions and trading days: the rows "sessions" and "calendar", to the millisecond."""

from __future__ import annotations

import numpy as np
import pytest

from ginkgo_streams import sessions
from ginkgo_streams.domain.market.calendar import Calendar
from tests.unit.domain.market.shanghai import at, calendar, day, profile

CN = profile()
MONDAY, TUESDAY = day("2026-11-23"), day("2026-11-24")

PHASES = [
    ("2026-11-23T09:14:59.999", "closed", False),
    ("2026-11-23T09:15:00", "opening_auction", True),
    ("2026-11-23T09:24:59.999", "opening_auction", True),
    ("2026-11-23T09:25:00", "break", True),
    ("2026-11-23T09:30:00", "continuous", True),
    ("2026-11-23T11:30:00", "continuous", True),
    ("2026-11-23T11:30:00.001", "break", False),
    ("2026-11-23T12:59:59.999", "break", False),
    ("2026-11-23T13:00:00", "continuous", True),
    ("2026-11-23T14:56:59.999", "continuous", True),
    ("2026-11-23T14:57:00", "closing_auction", True),
    ("2026-11-23T15:00:00", "closing_auction", True),
    ("2026-11-23T15:00:00.001", "closed", False),
    ("2026-11-22T10:00:00", "closed", False),
    ("2026-10-01T10:00:00", "closed", False),
]


@pytest.mark.parametrize(("time", "phase", "is_open"), PHASES)
def test_s9_4_phase_and_mask_when_at_an_edge_then_as_the_exchange_has_it(time: str, phase: str, is_open: bool) -> None:
    """Section 3, sessions: auctions, continuous trading and the break."""
    assert CN.phase(at(time)) == phase
    assert CN.open_mask(np.array([at(time)], np.int64)).tolist() == [is_open]


@pytest.mark.parametrize(
    ("time", "event_day", "order_day"),
    [
        ("2026-11-23T08:00:00", MONDAY, MONDAY),
        ("2026-11-23T14:59:59.999", MONDAY, MONDAY),
        ("2026-11-23T15:00:00", MONDAY, TUESDAY),
        ("2026-11-23T15:00:00.001", TUESDAY, TUESDAY),
        ("2026-11-22T10:00:00", MONDAY, MONDAY),
        ("2026-11-20T15:00:00.001", MONDAY, MONDAY),
        ("2026-09-30T15:00:00", day("2026-09-30"), day("2026-10-08")),
    ],
)
def test_trading_day_when_at_the_close_then_the_event_is_of_the_day_and_an_order_of_the_next(
    time: str, event_day: int, order_day: int
) -> None:
    """Section 3, sessions: the close."""
    assert CN.trading_day(at(time)) == event_day
    assert CN.order_day(at(time)) == order_day


def test_times_of_a_day_when_asked_then_open_and_close_in_shanghai() -> None:
    assert CN.session_open_ts(MONDAY) == at("2026-11-23T09:15:00")
    assert CN.continuous_open_ts(MONDAY) == at("2026-11-23T09:30:00")
    assert CN.close_ts(MONDAY) == at("2026-11-23T15:00:00")
    assert CN.calendar_day(at("2026-11-23T23:59:59.999")) == MONDAY
    assert CN.calendar_day(at("2026-11-24T00:00:00")) == TUESDAY


@pytest.mark.parametrize(
    ("time", "taken"),
    [
        ("09:19:59.999", True),
        ("09:20:00", False),
        ("09:25:00.001", True),
        ("14:56:59.999", True),
        ("14:57:00", False),
        ("15:00:00.001", True),
    ],
)
def test_cancels_when_in_a_call_auction_then_not_taken(time: str, taken: bool) -> None:
    """Section 3, sessions: no cancel at 09:20-09:25 and in the closing auction."""
    assert CN.can_cancel(at(f"2026-11-23T{time}")) is taken
    assert CN.can_cancel(at(f"2026-11-22T{time}"))  # a Sunday


def test_calendar_when_a_holiday_lies_between_then_the_next_trading_day_is_behind_it() -> None:
    """Section 3, calendar: holidays."""
    days = calendar()
    assert days.next(day("2026-09-30")) == day("2026-10-08")
    assert days.at_or_after(day("2026-10-03")) == day("2026-10-08")
    assert days.between(day("2026-09-29"), day("2026-10-08")) == 2
    assert days.between(day("2026-10-08"), day("2026-09-29")) == 0


def test_calendar_when_beyond_what_is_known_then_weekdays_count() -> None:
    days = calendar()
    saturday, monday = day("2027-01-02"), day("2027-01-04")
    assert days.next(day("2026-12-31")) == day("2027-01-01")
    assert not days.is_trading(saturday)
    assert days.mask(np.array([day("2025-12-27"), day("2026-10-01"), saturday, monday], np.int64)).tolist() == [False, False, False, True]
    for earlier in ("2025-12-01", "2025-12-28", "2026-06-06", "2026-12-30"):
        for later in ("2025-12-27", "2026-10-05", "2026-12-31", "2027-01-01", "2027-03-07"):
            span = range(day(earlier) + 1, day(later) + 1)
            assert days.between(day(earlier), day(later)) == sum(days.is_trading(d) for d in span)


@pytest.mark.parametrize("days", [[], [5, 5], [6, 5]])
def test_calendar_when_days_are_not_ascending_then_refused(days: list[int]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        Calendar(np.array(days, np.int64))


def test_trading_calendar_when_built_from_the_library_then_it_knows_real_holidays() -> None:
    """Section 3, calendar: of the library."""
    days = sessions.trading_calendar()
    assert days is sessions.trading_calendar()
    assert days.is_trading(day("2015-01-05"))
    assert not days.is_trading(day("2024-02-12"))  # Spring Festival, a Monday
    assert days.next(day("2015-09-02")) == day("2015-09-07")
    assert days.last >= day("2026-12-31")
