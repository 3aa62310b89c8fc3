"""The hours of an A-share trading day as a simulated feed walks through them, in ms of Asia/Shanghai wall time.

Hours: 09:30-11:30, 13:00-14:57, closing call 14:57-15:00 (Shanghai and Shenzhen trading rules, as of 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

SHANGHAI_OFFSET_MS = 8 * 3_600_000
"""Asia/Shanghai has had no daylight saving since 1991: the offset is a constant."""

DAY_MS = 86_400_000
MINUTE_MS = 60_000
PRE_OPEN_MS = (9 * 60 + 25) * MINUTE_MS
OPEN_MS = (9 * 60 + 30) * MINUTE_MS
LUNCH_MS = (11 * 60 + 30) * MINUTE_MS
AFTERNOON_MS = 13 * 60 * MINUTE_MS
CLOSING_CALL_MS = (14 * 60 + 57) * MINUTE_MS
CLOSE_MS = 15 * 60 * MINUTE_MS
CONTINUOUS_MS = (LUNCH_MS - OPEN_MS) + (CLOSING_CALL_MS - AFTERNOON_MS)


def midnight(day: date) -> int:
    """The start of a day in Asia/Shanghai, ms since 1970 UTC."""
    return (day - date(1970, 1, 1)).days * DAY_MS - SHANGHAI_OFFSET_MS


def day_of(time_ms: int) -> date:
    """The day in Asia/Shanghai of a moment in ms since 1970 UTC."""
    return datetime.fromtimestamp((time_ms + SHANGHAI_OFFSET_MS) / 1000, UTC).date()


def moments(step_ms: int) -> Iterator[tuple[int, float]]:
    """The moments of a day at which prices come, every `step_ms` of continuous trading: (ms since midnight, share of
    the day's trading time gone, 0 to 1). The first of each half is its very opening; none at 11:30 or 14:57."""
    for start, end, gone in ((OPEN_MS, LUNCH_MS, 0), (AFTERNOON_MS, CLOSING_CALL_MS, LUNCH_MS - OPEN_MS)):
        for moment in range(start, end, step_ms):
            yield moment, (gone + moment - start) / CONTINUOUS_MS
