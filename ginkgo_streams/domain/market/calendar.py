"""The trading calendar: which dates are trading days. Pure; `ginkgo_streams.sessions` builds the real one.

Beyond the dates it was built from every weekday counts as a trading day: a calendar library knows holidays only as far
as the authorities have announced them, and a system that runs past that must go on. On a holiday taken for a
trading day no price comes, so nothing trades; `last` tells an operator how far the knowledge goes.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray


class Calendar:
    """Trading days as date ordinals."""

    __slots__ = ("_days", "_first", "_last", "_set", "_table")

    def __init__(self, days: NDArray[np.int64]) -> None:
        """days: ordinals, strictly ascending, at least one. Raises ValueError otherwise."""
        if len(days) == 0 or bool(np.any(np.diff(days) <= 0)):
            raise ValueError(f"a calendar needs its trading days ascending and at least one, got {len(days)} days")
        self._days: list[int] = days.tolist()
        self._set = frozenset(self._days)
        self._first: int = self._days[0]
        self._last: int = self._days[-1]
        self._table: NDArray[np.bool_] = np.zeros(self._last - self._first + 1, np.bool_)
        self._table[days - self._first] = True

    @property
    def first(self) -> int:
        """The first trading day known."""
        return self._first

    @property
    def last(self) -> int:
        """The last trading day known; behind it weekdays count."""
        return self._last

    def is_trading(self, day: int) -> bool:
        """Whether a date is a trading day."""
        return day in self._set if self._first <= day <= self._last else _weekday(day)

    def at_or_after(self, day: int) -> int:
        """The day itself where it is a trading day, else the next."""
        return day if day in self._set or self.is_trading(day) else self.next(day)

    def next(self, day: int) -> int:
        """The first trading day behind a date."""
        if self._first <= day < self._last:
            return self._days[bisect_right(self._days, day)]
        day += 1
        while not self.is_trading(day):
            day += 1
        return day

    def between(self, earlier: int, later: int) -> int:
        """How many trading days are behind `earlier` up to and including `later`; 0 where later <= earlier."""
        return self._rank(later) - self._rank(earlier) if later > earlier else 0

    def mask(self, days: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each date, whether it is a trading day. Shape of days."""
        known = (days >= self._first) & (days <= self._last)
        if known.all():
            return np.asarray(self._table[days - self._first], np.bool_)
        inside = np.clip(days, self._first, self._last) - self._first
        return np.where(known, self._table[inside], (days - 1) % 7 < 5)

    def _rank(self, day: int) -> int:
        """Trading days up to and including a date, but for a constant."""
        if day < self._first:
            return _weekdays(day) - _weekdays(self._first - 1)
        if day > self._last:
            return len(self._days) + _weekdays(day) - _weekdays(self._last)
        return bisect_right(self._days, day)


def _weekday(day: int) -> bool:
    return (day - 1) % 7 < 5  # ordinal 1 is a Monday


def _weekdays(day: int) -> int:
    """Weekdays from ordinal 1 up to and including a date."""
    weeks, rest = divmod(day, 7)
    return weeks * 5 + min(rest, 5)
