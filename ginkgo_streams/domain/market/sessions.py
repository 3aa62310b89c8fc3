"""The hours of the A-share market, Asia/Shanghai: when prices come, which phase it is, whether cancels are taken.

Source: trading rules of SSE and SZSE (revision of 2023-04-10; SSE has the closing auction since 2018-08-20):
opening call auction 09:15–09:25 (no cancel from 09:20), continuous 09:30–11:30 and 13:00–14:57,
closing call auction 14:57–15:00 (no cancel). China has had no daylight saving time since 1991: UTC+8 all year.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.market.calendar import Calendar
from ginkgo_streams.domain.market.profile import Phase

EPOCH_DAY = 719_163
"""The ordinal of 1970-01-01."""

DAY_MS = 86_400_000
OFFSET_MS = 8 * 3_600_000
"""UTC+8."""


def _at(hour: int, minute: int) -> int:
    return (hour * 60 + minute) * 60_000


OPEN, NO_CANCEL, MATCH, CONTINUOUS, NOON = _at(9, 15), _at(9, 20), _at(9, 25), _at(9, 30), _at(11, 30)
AFTERNOON, CLOSING, CLOSE = _at(13, 0), _at(14, 57), _at(15, 0)


def calendar_day(ts: int) -> int:
    """The date in Shanghai."""
    return (ts + OFFSET_MS) // DAY_MS + EPOCH_DAY


def moment(day: int, time_of_day: int) -> int:
    """The ts of a time of day (ms since midnight in Shanghai) on a date."""
    return (day - EPOCH_DAY) * DAY_MS - OFFSET_MS + time_of_day


def trading_day(calendar: Calendar, ts: int) -> int:
    """The trading day an event belongs to: 15:00:00.000 is still the day, 15:00:00.001 the next trading day."""
    days, time = divmod(ts + OFFSET_MS, DAY_MS)
    return calendar.at_or_after(days + EPOCH_DAY) if time <= CLOSE else calendar.next(days + EPOCH_DAY)


def phase(calendar: Calendar, ts: int) -> Phase:
    """What the exchange does. 11:30:00.000 and 15:00:00.000 themselves are still in session; 09:25–09:30 is a break."""
    time = (ts + OFFSET_MS) % DAY_MS
    if time < OPEN or time > CLOSE or not calendar.is_trading(calendar_day(ts)):
        return "closed"
    if time < MATCH:
        return "opening_auction"
    if time >= CLOSING:
        return "closing_auction"
    return "continuous" if CONTINUOUS <= time <= NOON or time >= AFTERNOON else "break"


def trading_before(calendar: Calendar, ts: int, span: int) -> int:
    """The moment from which to ts, on the day of ts, `span` ms of continuous trading have passed; 0 where that day has had less."""
    day = calendar_day(ts)
    if not calendar.is_trading(day):
        return 0
    time, morning = (ts + OFFSET_MS) % DAY_MS, NOON - CONTINUOUS
    passed = max(min(time, NOON) - CONTINUOUS, 0) + max(min(time, CLOSING) - AFTERNOON, 0) - span
    if passed < 0:
        return 0
    return moment(day, CONTINUOUS + passed if passed <= morning else AFTERNOON + passed - morning)


def can_cancel(calendar: Calendar, ts: int) -> bool:
    """Not at 09:20–09:25 nor at 14:57–15:00 of a trading day, both ends in: the auction's price may come at its end."""
    time = (ts + OFFSET_MS) % DAY_MS
    if NO_CANCEL <= time <= MATCH or CLOSING <= time <= CLOSE:
        return not calendar.is_trading(calendar_day(ts))
    return True


def open_mask(calendar: Calendar, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each ts is in session: 09:15–11:30:00.000 or 13:00–15:00:00.000, both ends in, of a trading day."""
    days, time = np.divmod(ts + OFFSET_MS, DAY_MS)
    hours = ((time >= OPEN) & (time <= NOON)) | ((time >= AFTERNOON) & (time <= CLOSE))
    return np.asarray(hours & calendar.mask(days + EPOCH_DAY), np.bool_)
