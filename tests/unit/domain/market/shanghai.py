"""Times in Shanghai and the CN profile for tests, without the calendar library."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import numpy as np

from ginkgo_streams.domain.market.calendar import Calendar
from ginkgo_streams.domain.market.cn import ChinaA, cn

ZONE = timezone(timedelta(hours=8))


def day(text: str) -> int:
    """The ordinal of an ISO date."""
    return date.fromisoformat(text).toordinal()


def at(text: str) -> int:
    """The ts of an ISO date and time in Shanghai."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


def calendar() -> Calendar:
    """Weekdays of 2026 without the days off of the National Day, 1 to 7 October."""
    first, off = day("2026-01-01"), range(day("2026-10-01"), day("2026-10-08"))
    return Calendar(np.array([d for d in range(first, first + 365) if (d - 1) % 7 < 5 and d not in off], np.int64))


def profile() -> ChinaA:
    """The A-share market with the default commission."""
    return cn(calendar())
