"""Price limits and the price cage of the A-share market, by board and date."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.events import BUY
from ginkgo_streams.domain.market.boards import Board, board
from ginkgo_streams.domain.market.calendar import Calendar
from ginkgo_streams.domain.market.profile import MAX_PRICE
from ginkgo_streams.domain.market.rates import Dated, day, half_up

TICK = 100
"""0.01 CNY in units."""

REGISTRATION = day(2023, 4, 10)
"""First day of the main board's rules of the registration system (SSE and SZSE Trading Rules, 2023 revision)."""

LIMITS: dict[Board, Dated] = {
    "main": Dated(10),
    "chinext": Dated(10, (day(2020, 8, 24), 20)),
    "star": Dated(20),
    "bse": Dated(30),
}
"""Percent of the previous close. ChiNext: 20 % from 2020-08-24 (SZSE ChiNext special provisions, 2020), STAR from its start."""

ST_LIMIT = Dated(5, (day(2026, 7, 6), 10))
"""Percent, stocks under special treatment on the main board: 5 % until 2026-07-05, 10 % from 2026-07-06; elsewhere the board's own.

Source: trading rules of SSE and SZSE, revision in force from 2026-07-06."""

FREE_DAYS: dict[Board, Dated] = {
    "main": Dated(0, (REGISTRATION, 5)),
    "chinext": Dated(0, (day(2020, 8, 24), 5)),
    "star": Dated(5),
    "bse": Dated(1),
}
"""Trading days from the IPO on that have no limits. Older main board IPOs had a first day of +44 % / -36 %, which is not modelled."""

CAGE: dict[Board, Dated] = {
    "main": Dated(0, (REGISTRATION, 2)),
    "chinext": Dated(0, (day(2020, 8, 24), 2)),
    "star": Dated(2),
    "bse": Dated(5),
}
"""Percent a limit may pass the reference price in continuous trading; 0: no cage then.

Sources: trading rules of SSE and SZSE (in force from 2023-04-10), SSE's special provisions for STAR (2019-07-22), SZSE's for
ChiNext (2020-08-24), trading rules of BSE (5 %, from 2021-11-15)."""

CAGE_TICKS: dict[Board, int] = {"main": 10, "chinext": 10, "star": 0, "bse": 10}
"""Where these ticks are wider than the percentage they count."""


def price_limits(calendar: Calendar, code: str, prev_close: int, day_: int, st: bool, listed: int | None) -> tuple[int, int] | None:
    """Lowest and highest price of a day in units: previous close × (1 ± r), rounded half up to the tick, at least a tick away from it."""
    if prev_close <= 0:
        return None
    where = board(code)
    if listed is not None and calendar.between(listed, day_) < FREE_DAYS[where].on(listed):
        return None
    percent = (ST_LIMIT if st and where == "main" else LIMITS[where]).on(day_)
    up = half_up(prev_close, 100 + percent, 100 * TICK) * TICK
    down = half_up(prev_close, 100 - percent, 100 * TICK) * TICK
    return max(min(down, prev_close - TICK), TICK), max(up, prev_close + TICK)


BOARDS: tuple[Board, ...] = ("main", "chinext", "star", "bse")
"""The boards by the number that `limit_class` gives."""


def limit_class(code: str) -> int:
    """The number of a code's board, for `limit_columns`."""
    return BOARDS.index(board(code))


def limit_columns(
    classes: NDArray[np.int64], prev_close: NDArray[np.int64], day_: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`price_limits` of n codes that are neither ST nor newly listed, at once: lowest and highest, 0 where there are none.

    classes: as `limit_class` gives them; prev_close: units; day_: ordinals; all of shape (n,).
    """
    percent = np.empty(len(classes), np.int64)
    for each in np.unique(day_).tolist():
        table = np.array([LIMITS[name].on(each) for name in BOARDS], np.int64)
        of_day = day_ == each
        percent[of_day] = table[classes[of_day]]
    step = 100 * TICK
    up = (2 * prev_close * (100 + percent) + step) // (2 * step) * TICK
    down = (2 * prev_close * (100 - percent) + step) // (2 * step) * TICK
    known = prev_close > 0
    low = np.where(known, np.maximum(np.minimum(down, prev_close - TICK), TICK), 0)
    return low, np.where(known, np.maximum(up, prev_close + TICK), 0)


def price_cage(code: str, direction: int, reference: int, day_: int | None) -> int:
    """The bound of a limit in continuous trading, in units: 102 % for a buy, 98 % for a sell (day None: the rule of now)."""
    where = board(code)
    percent = CAGE[where].on(MAX_PRICE if day_ is None else day_)
    if percent == 0 or reference <= 0:
        return MAX_PRICE if direction == BUY else 0
    wide = CAGE_TICKS[where] * TICK
    if direction == BUY:
        return max(half_up(reference, 100 + percent, 100 * TICK) * TICK, reference + wide)
    return max(min(half_up(reference, 100 - percent, 100 * TICK) * TICK, reference - wide), 0)
