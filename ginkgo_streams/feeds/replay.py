"""The replay feed: daily bars from CSV files, one step a trading day, at 15:00 Asia/Shanghai.

Columns are Tushare's `daily` (ts_code, trade_date, open, high, low, close, pre_close, vol in lots of 100 shares) or
plain date, open, high, low, close, volume (shares), the code then from the option or the file's name. A file is
checked whole before its first bar is published.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

from ginkgo_streams.domain.market import sessions
from ginkgo_streams.feeds.step import Step
from ginkgo_streams.messages import PriceUpdate, iso

LOT = 100
_CODE = re.compile(r"\d{6}\.(SZ|SH|BJ)")


class BadBars(ValueError):
    """A file of bars that cannot be replayed: the text names file, line, column and value."""


class Bar(NamedTuple):
    """One trading day of one code. Prices in CNY, volume in shares, prev_close None where the file has none."""

    day: date
    code: str
    open: float
    high: float
    low: float
    close: float
    prev_close: float | None
    volume: int


class _Layout(NamedTuple):
    day: str
    volume: str
    shares: int
    code: str | None
    prev_close: str | None


def read_bars(path: Path, code: str | None = None) -> list[Bar]:
    """The bars of a file, oldest first (a file may run either way, Tushare serves the newest first).

    code: for files without ts_code; None takes it from the file's name, as in 600000.SH.csv. Raises BadBars.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            layout = _layout(path, reader.fieldnames or [])
            fallback = _fallback_code(path, code) if layout.code is None else ""
            bars = [(reader.line_num, _bar(path, reader.line_num, row, layout, fallback)) for row in reader]
    except OSError as error:
        raise BadBars(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadBars(f"{path}: is no CSV in UTF-8: {error}") from error
    if not bars:
        raise BadBars(f"{path}: has no bars")
    return _oldest_first(path, bars)


def replay(paths: Sequence[Path], *, speed: float = 0.0, code: str | None = None, after_ms: int = 0) -> Iterator[Step]:
    """The bars of all files, a step per day. speed: seconds of event time per wall second, 0 as fast as it goes.
    after_ms: event time already published, up to which days are left out. Raises BadBars, before the first step."""
    if not (math.isfinite(speed) and speed >= 0):
        raise ValueError(f"speed is {speed!r}: must be 0 (as fast as it goes) or the event seconds per wall second")
    bars = [bar for path in paths for bar in read_bars(path, code)]
    bars.sort(key=lambda bar: (bar.day, bar.code))
    for one, other in pairwise(bars):
        if (one.day, one.code) == (other.day, other.code):
            raise BadBars(f"{one.code} has two bars of {one.day}, in different files: leave one out")
    return _steps([bar for bar in bars if _close(bar.day) > after_ms], speed)


def _steps(bars: list[Bar], speed: float) -> Iterator[Step]:
    before: int | None = None
    for day, of_day in groupby(bars, key=lambda bar: bar.day):
        moment = _close(day)
        wait = (moment - before) / 1000 / speed if speed and before is not None else 0.0
        yield Step(moment, [_update(bar, moment) for bar in of_day], wait)
        before = moment


def _close(day: date) -> int:
    return sessions.moment(day.toordinal(), sessions.CLOSE)


def _update(bar: Bar, moment: int) -> PriceUpdate:
    return PriceUpdate(
        timestamp=iso(moment), code=bar.code, price=bar.close, volume=bar.volume, open=bar.open, high=bar.high, low=bar.low,
        close=bar.close, prev_close=bar.prev_close, seq=moment, interval="1d",
    )  # fmt: skip


def _layout(path: Path, columns: Sequence[str]) -> _Layout:
    if "ts_code" in columns or "trade_date" in columns:
        previous = "pre_close" if "pre_close" in columns else None
        layout = _Layout("trade_date", "vol", LOT, "ts_code", previous)
    else:
        previous = "prev_close" if "prev_close" in columns else None
        layout = _Layout("date", "volume", 1, None, previous)
    needed = [*([layout.code] if layout.code else []), layout.day, "open", "high", "low", "close", layout.volume]
    if missing := [name for name in needed if name not in columns]:
        raise BadBars(f"{path}: line 1: missing column {', '.join(missing)}; found {', '.join(columns) or 'nothing'}")
    return layout


def _fallback_code(path: Path, code: str | None) -> str:
    found = _CODE.match(path.name) if code is None else _CODE.fullmatch(code)
    if found is None:
        given = f"code {code!r} is not like 600000.SH" if code is not None else "no code in the file or its name: name one, like 600000.SH"
        raise BadBars(f"{path}: {given}")
    return found[0]


def _bar(path: Path, line: int, row: dict[str, str | None], layout: _Layout, fallback: str) -> Bar:
    def bad(column: str, why: str) -> BadBars:
        return BadBars(f"{path}: line {line}: column {column}: {row.get(column)!r} {why}")

    def figure(column: str) -> float:
        try:
            value = float(row[column] or "")
        except ValueError:
            raise bad(column, "is no number") from None
        if not math.isfinite(value):
            raise bad(column, "is no finite number")
        if value < 0:
            raise bad(column, "is negative")
        return value

    def price(column: str) -> float:
        value = figure(column)
        if value == 0:
            raise bad(column, "is no price: a day without trades has no bar")
        if abs(value * 10_000 - round(value * 10_000)) > 1e-4:
            raise bad(column, "has more than four decimals")
        return value

    text = row[layout.day] or ""
    try:
        day = datetime.strptime(text, "%Y%m%d" if len(text) == 8 else "%Y-%m-%d").date()
    except ValueError:
        raise bad(layout.day, "is no date: write YYYYMMDD or YYYY-MM-DD") from None
    code = (row[layout.code] or "") if layout.code else fallback
    if layout.code and not _CODE.fullmatch(code):
        raise bad(layout.code, "is no code like 600000.SH")
    opening, high, low, close = (price(name) for name in ("open", "high", "low", "close"))
    if high < low:
        raise bad("high", f"is below the low of {low}")
    for name, value in (("open", opening), ("close", close)):
        if not low <= value <= high:
            raise bad(name, f"is outside low {low} to high {high}")
    previous = price(layout.prev_close) if layout.prev_close and row[layout.prev_close] else None
    return Bar(day, code, opening, high, low, close, previous, round(figure(layout.volume) * layout.shares))


def _oldest_first(path: Path, bars: list[tuple[int, Bar]]) -> list[Bar]:
    """Each code's days strictly rising, or all strictly falling: then turned round."""
    by_code: dict[str, list[tuple[int, Bar]]] = {}
    for line, bar in bars:
        by_code.setdefault(bar.code, []).append((line, bar))
    ordered: list[Bar] = []
    for code, rows in by_code.items():
        falling = len(rows) > 1 and rows[1][1].day < rows[0][1].day
        for (_, one), (line, other) in pairwise(rows):
            if one.day == other.day:
                raise BadBars(f"{path}: line {line}: {code} has {other.day} twice")
            if (other.day < one.day) != falling:
                raise BadBars(f"{path}: line {line}: {code}: {other.day} follows {one.day}: sort the file by date")
        ordered += [bar for _, bar in (reversed(rows) if falling else rows)]
    return ordered
