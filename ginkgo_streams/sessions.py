"""The real trading calendar: sessions of XSHG from exchange_calendars, as the pure `Calendar` the kernel takes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ginkgo_streams.domain.market.calendar import Calendar
from ginkgo_streams.domain.market.sessions import EPOCH_DAY


@lru_cache(maxsize=1)
def trading_calendar() -> Calendar:
    """Every trading day of the Shanghai exchange that the library knows (from 1990-12 to the last announced year). Cached."""
    from exchange_calendars.exchange_calendar_xshg import XSHGExchangeCalendar

    calendar = XSHGExchangeCalendar(start=XSHGExchangeCalendar.bound_min(), end=XSHGExchangeCalendar.bound_max())
    days = calendar.sessions.to_numpy().astype("datetime64[D]").astype(np.int64) + EPOCH_DAY
    return Calendar(days)
