"""Bars from files: checked whole, in units of 0.0001, at the times at which they end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ginkgo_streams.bars import actions as corporate
from ginkgo_streams.bars.columns import BadBars, Bars, joined
from ginkgo_streams.bars.gaps import gap_warnings
from ginkgo_streams.bars.table import ALIASES, LOT, Table, read_table
from ginkgo_streams.domain import events as e
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.market.sessions import DAY_MS, EPOCH_DAY

CODE = re.compile(r"\d{6}\.(SZ|SH|BJ)")
ZONES = {"CN": "Asia/Shanghai", "GENERIC": "UTC"}
"""The zone of times that are written without one."""
NEEDED = ("time", "open", "high", "low", "close", "volume")
FOUR_DECIMALS = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where bars come from. bars: files, and folders of which all CSV and Parquet files are read; code: of a file that names none;
    start, end: first and last date, None for all there is; actions: a file of dividends and splits; stamp: whether the times
    in a file are those at which bars end or start (days have no such difference)."""

    bars: Path | Sequence[Path]
    code: str | None = None
    start: date | None = None
    end: date | None = None
    actions: Path | None = None
    stamp: Literal["end", "start"] = "end"

    @property
    def paths(self) -> Sequence[Path]:
        """The files and folders."""
        return [self.bars] if isinstance(self.bars, Path) else self.bars

    @property
    def named(self) -> str:
        """They as text."""
        return ", ".join(map(str, self.paths))


def load_bars(source: Source, profile: Profile) -> Bars:
    """The bars of a source, by the calendar of the market. Raises BadBars."""
    files = [file for path in source.paths for file in _files(path)]
    if source.code is not None and len(files) > 1:
        raise BadBars(f"{source.named}: has {len(files)} files, so that code {source.code!r} cannot be that of all; leave the code out")
    parts: list[_Part] = []
    for path in files:
        parts += _parts(read_table(path, NEEDED, "bars"), source, profile)
    seen: dict[str, Path] = {}
    for part in parts:
        if part.code in seen:
            raise BadBars(f"{part.path}: has bars of {part.code}, of which {seen[part.code]} has some too: put them into one file")
        seen[part.code] = part.path
    codes = tuple(sorted(seen))
    if len({part.daily for part in parts}) > 1:
        daily, other = (next(part.path for part in parts if part.daily is is_daily) for is_daily in (True, False))
        raise BadBars(f"{daily} has days and {other} has times: bars of one length can be driven at a time")
    given = corporate.read_actions(source.actions, codes) if source.actions else None
    warnings = [line for part in parts for line in gap_warnings(part.code, part.columns[e.TS], part.daily, profile)]
    actions = given if given is not None else [action for part in parts for action in part.actions]
    if given is None:
        warnings += [line for part in parts for line in part.warnings]
    data, code_of = joined(codes, [(codes.index(part.code), part.columns) for part in parts])
    bars = Bars(codes, data, code_of, parts[0].daily, tuple(sorted(actions, key=lambda a: (a.day, a.code))), warnings)
    return _in_range(bars, source, profile)


def _in_range(bars: Bars, source: Source, profile: Profile) -> Bars:
    if source.start is not None and source.end is not None and source.end < source.start:
        raise BadBars(f"end date {source.end} is before start date {source.start}")
    days = np.array([profile.trading_day(ts) for ts in np.unique(bars.data[e.TS]).tolist()], np.int64)
    of_bar = days[np.searchsorted(np.unique(bars.data[e.TS]), bars.data[e.TS])]
    mask = np.ones(len(bars), np.bool_)
    if source.start is not None:
        mask &= of_bar >= source.start.toordinal()
    if source.end is not None:
        mask &= of_bar <= source.end.toordinal()
    if not mask.any():
        first, last = (date.fromordinal(int(day)) for day in (of_bar.min(), of_bar.max()))
        raise BadBars(f"{source.named}: has no bar from {source.start or first} to {source.end or last}; it has {first} to {last}")
    return bars.select(mask)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.exists():
            raise BadBars(f"{path}: there is no such file or folder")
        return [path]
    found = sorted(each for each in path.iterdir() if each.suffix.lower() in (".csv", ".parquet"))
    if not found:
        raise BadBars(f"{path}: has no file that ends in .csv or .parquet")
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """The bars of one code of a file, oldest first."""

    path: Path
    code: str
    columns: NDArray[np.int64]
    daily: bool
    actions: list[e.CorporateAction]
    warnings: list[str]


def _parts(table: Table, source: Source, profile: Profile) -> list[_Part]:
    local, ts = table.times("time", ZONES[profile.name])
    daily = bool((local == local.normalize()).all())
    if daily:
        days = (local.tz_localize(None).to_numpy("datetime64[D]").astype(np.int64) + EPOCH_DAY).astype(np.int64)
        unique, back = np.unique(days, return_inverse=True)
        ts = np.array([profile.close_ts(int(day)) for day in unique], np.int64)[back]
    columns = _figures(table, profile)
    columns[e.TS] = ts
    columns[e.SEQ] = -1
    if "code" not in table.names:
        groups = {_code_of(table.path, source.code, profile): np.arange(len(table))}
    else:
        column = table.frame[table.names["code"]].astype("string").str.strip()
        groups = {str(code): np.asarray(rows) for code, rows in column.reset_index(drop=True).groupby(column.to_numpy()).groups.items()}
        for code, rows in groups.items():
            if profile.name == "CN" and not CODE.fullmatch(code):
                table.bad(int(rows[0]), "code", "is no code like 600000.SH")
        if (empty := np.flatnonzero(column.isna().to_numpy(bool))).size:
            table.bad(int(empty[0]), "code", "is empty")
    factors = table.numbers("adj_factor") if "adj_factor" in table.names else None
    parts = []
    for code, rows in groups.items():
        rows = _oldest_first(table, code, rows, ts, daily)
        part = np.ascontiguousarray(columns[:, rows])
        _lengths(part, daily, source.stamp)
        _in_session(table, part, rows, profile)
        found, lines = corporate.derived(code, part, None if factors is None else factors[rows], profile)
        parts.append(_Part(table.path, code, part, daily, found, lines))
    return parts


def _code_of(path: Path, given: str | None, profile: Profile) -> str:
    if profile.name != "CN":
        return given or path.name.split(".")[0]
    found = CODE.match(path.name) if given is None else CODE.fullmatch(given)
    if found is None:
        why = f"code {given!r} is not like 600000.SH" if given is not None else "no code in the file or its name: name one, like 600000.SH"
        raise BadBars(f"{path}: {why}")
    return found[0]


def _figures(table: Table, profile: Profile) -> NDArray[np.int64]:
    columns = np.zeros((len(e.FIELDS), len(table)), np.int64)
    for name, row in (("open", e.OPEN), ("high", e.HIGH), ("low", e.LOW), ("close", e.CLOSE)):
        columns[row] = _price(table, name, profile)
    columns[e.PRICE] = columns[e.CLOSE]
    if "prev_close" in table.names:
        known = table.frame[table.names["prev_close"]].notna().to_numpy(bool)
        if known.all():
            columns[e.PREV_CLOSE] = _price(table, "prev_close", profile)
        else:
            part = Table(table.path, table.frame[known], table.names)
            columns[e.PREV_CLOSE, known] = _price(part, "prev_close", profile) if known.any() else 0
    low, high = columns[e.LOW], columns[e.HIGH]
    if (wrong := np.flatnonzero(high < low)).size:
        table.bad(int(wrong[0]), "high", f"is below the low of {table.text(int(wrong[0]), 'low')}")
    for name, row in (("open", e.OPEN), ("close", e.CLOSE)):
        if (wrong := np.flatnonzero((columns[row] < low) | (columns[row] > high))).size:
            at = int(wrong[0])
            table.bad(at, name, f"is outside low {table.text(at, 'low')} to high {table.text(at, 'high')}")
    volume = table.numbers("volume")
    if (wrong := np.flatnonzero(volume < 0)).size:
        table.bad(int(wrong[0]), "volume", "is negative")
    in_lots = table.names["volume"].lower() == "vol" and table.names["time"].lower() == "trade_date"
    columns[e.VOLUME] = np.rint(volume * (LOT if in_lots else 1)).astype(np.int64)
    return columns


def _price(table: Table, name: str, profile: Profile) -> NDArray[np.int64]:
    values = table.numbers(name)
    if (wrong := np.flatnonzero(values <= 0)).size:
        at = int(wrong[0])
        table.bad(at, name, "is negative" if values[at] < 0 else "is no price: a day without trades has no bar")
    scaled = values * e.UNIT
    units = np.rint(scaled)
    if profile.name == "CN" and (wrong := np.flatnonzero(np.abs(scaled - units) > FOUR_DECIMALS + np.abs(scaled) * 1e-12)).size:
        table.bad(int(wrong[0]), name, "has more than four decimals: give prices as they were traded, not adjusted ones")
    if (wrong := np.flatnonzero(units < 1)).size:
        table.bad(int(wrong[0]), name, "is less than 0.0001, the smallest price that can be kept")
    return units.astype(np.int64)


def _oldest_first(table: Table, code: str, rows: NDArray[np.intp], ts: NDArray[np.int64], daily: bool) -> NDArray[np.intp]:
    """A file may run either way: Tushare serves the newest first."""
    steps = np.diff(ts[rows])
    if (same := np.flatnonzero(steps == 0)).size:
        table.bad(int(rows[int(same[0]) + 1]), "time", f"is there twice for {code}")
    if len(rows) > 1 and steps[0] < 0:
        rows, steps = rows[::-1], -steps[::-1]
    if (back := np.flatnonzero(steps < 0)).size:
        at = max(int(rows[int(back[0])]), int(rows[int(back[0]) + 1]))
        other = min(int(rows[int(back[0])]), int(rows[int(back[0]) + 1]))
        table.bad(at, "time", f"of {code} follows {table.text(other, 'time')}: sort the file by {'date' if daily else 'time'}")
    return rows


def _lengths(part: NDArray[np.int64], daily: bool, stamp: str) -> None:
    """The length of the bars is the commonest distance of two; one is never longer than what lies between it and the bar before."""
    ts = part[e.TS]
    steps = np.diff(ts)
    if daily:
        length = DAY_MS
    elif len(steps):
        values, counts = np.unique(steps, return_counts=True)
        length = int(values[int(counts.argmax())])
    else:
        length = 60_000
    if not daily and stamp == "start":
        ts += length
    part[e.INTERVAL] = length
    part[e.INTERVAL, 1:] = np.minimum(part[e.INTERVAL, 1:], np.maximum(np.diff(ts), 1))


def _in_session(table: Table, part: NDArray[np.int64], rows: NDArray[np.intp], profile: Profile) -> None:
    closed = np.flatnonzero(~profile.open_mask(part[e.TS]))
    if closed.size:
        why = "is no trading day" if not profile.is_trading_day(profile.calendar_day(int(part[e.TS, closed[0]]))) else "is outside trading"
        table.bad(int(rows[int(closed[0])]), "time", f"{why} of the market {profile.name}")


def frame_bars(frames: dict[str, pd.DataFrame], profile: Profile) -> Bars:
    """Bars from pandas: code to a frame with the columns of a file, or a DatetimeIndex in place of the time. Raises BadBars."""
    parts: list[_Part] = []
    for code, frame in frames.items():
        indexed = frame.reset_index(names="datetime") if isinstance(frame.index, pd.DatetimeIndex) else frame
        lower = {str(column).lower(): str(column) for column in indexed.columns}
        names = {ours: lower[theirs] for ours, options in ALIASES.items() for theirs in options[::-1] if theirs in lower and ours != "code"}
        if missing := [name for name in NEEDED if name not in names]:
            raise BadBars(f"{code}: missing column {', '.join(missing)}; found {', '.join(map(str, frame.columns))}")
        table = Table(Path(f"{code}.parquet"), indexed, names)
        parts += _parts(table, Source(bars=Path(), code=code), profile)
    return _assembled(parts)


def _assembled(parts: Sequence[_Part]) -> Bars:
    codes = tuple(sorted(part.code for part in parts))
    data, code_of = joined(codes, [(codes.index(part.code), part.columns) for part in parts])
    actions = sorted((action for part in parts for action in part.actions), key=lambda a: (a.day, a.code))
    return Bars(codes, data, code_of, parts[0].daily, tuple(actions))
