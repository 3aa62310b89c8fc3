"""Exact rates: products of integers with fractions, rounded half up, and tables of rates by date."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from fractions import Fraction

PER_MILLION = 1_000_000


def day(year: int, month: int, day_: int) -> int:
    """The ordinal of a date."""
    return date(year, month, day_).toordinal()


def half_up(value: int, numerator: int, denominator: int) -> int:
    """value × numerator / denominator, rounded half up. All of them >= 0, denominator > 0."""
    return (2 * value * numerator + denominator) // (2 * denominator)


def ratio(rate: Fraction | int) -> Fraction:
    """A rate, given as a fraction or as an integer per million. Raises ValueError outside 0 to 1 and for a float (which is not exact)."""
    if isinstance(rate, float):
        raise ValueError(f"a rate of {rate!r} is a float: give Fraction({str(rate)!r}), or an integer per million")
    result = Fraction(rate, PER_MILLION) if isinstance(rate, int) else rate
    if not 0 <= result < 1:
        raise ValueError(f"a rate of {rate} is not between 0 and 1: give a fraction such as 3/10000, or an integer per million")
    return result


class Dated:
    """A figure that changed over time: the value in force on a day."""

    __slots__ = ("_from", "_values")

    def __init__(self, before: int, *changes: tuple[int, int]) -> None:
        """before: the figure before the first change; changes: (first day of validity, figure), ascending."""
        self._from = [start for start, _ in changes]
        self._values = [before, *(value for _, value in changes)]

    @property
    def changes(self) -> tuple[int, ...]:
        """The first days of validity, ascending: all but that of the first figure."""
        return tuple(self._from)

    def on(self, day_: int) -> int:
        """The figure in force on a day."""
        return self._values[bisect_right(self._from, day_)]
