"""One file of bars, CSV or Parquet, as columns under the names that are used here; errors name file, line, column and value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ginkgo_streams.bars.columns import BadBars

ALIASES: dict[str, tuple[str, ...]] = {
    "code": ("ts_code", "code", "symbol", "ticker"),
    "time": ("trade_date", "trade_time", "datetime", "date", "timestamp", "time"),
    "open": ("open",), "high": ("high",), "low": ("low",), "close": ("close",),
    "volume": ("volume", "vol"),
    "prev_close": ("pre_close", "prev_close", "preclose"),
    "adj_factor": ("adj_factor",),
    "amount": ("amount",),
    "ex_date": ("ex_date",), "cash": ("cash",), "split": ("split",),
}  # fmt: skip
"""Column names that are understood, in lower case, the first that is there counts."""

LOT = 100
"""Shares in the unit of Tushare's daily `vol`."""


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file. names: ours to the file's; frame: the file as pandas read it."""

    path: Path
    frame: pd.DataFrame
    names: dict[str, str]

    def __len__(self) -> int:
        return len(self.frame)

    def where(self, row: int) -> str:
        """How a row is named to people: its line in a CSV, its number in Parquet."""
        return f"line {int(self.frame.index[row])}" if self.path.suffix != ".parquet" else f"row {row + 1}"

    def bad(self, row: int, name: str, why: str) -> NoReturn:
        """Raise BadBars for one cell."""
        column = self.names[name]
        raise BadBars(f"{self.path}: {self.where(row)}: column {column}: {self.text(row, name)!r} {why}")

    def text(self, row: int, name: str) -> str:
        """A cell as the file has it."""
        value = self.frame[self.names[name]].iloc[row]
        return "" if pd.isna(value) else str(value)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column of finite numbers, all of them there. Raises BadBars."""
        column = self.frame[self.names[name]]
        found = column if column.dtype.kind in "fiu" else pd.to_numeric(column, errors="coerce")
        values = found.to_numpy(np.float64, na_value=np.nan)
        wrong = ~np.isfinite(values)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            self.bad(row, name, "is empty: a bar has all its figures" if not self.text(row, name) else "is no finite number")
        return values

    def times(self, name: str, zone: str) -> tuple[pd.DatetimeIndex, NDArray[np.int64]]:
        """A column of dates or times as written (without a zone they are those of `zone`), in that zone and as ms UTC. Raises BadBars."""
        column = self.frame[self.names[name]]
        if column.dtype.kind == "M":
            found = pd.DatetimeIndex(column)
        else:
            texts = column.astype("string").str.strip()
            digits = texts.str.fullmatch(r"\d{8}").fillna(False).to_numpy(bool)
            form = "%Y%m%d" if digits.all() else "ISO8601"
            parsed = pd.to_datetime(texts, format=form, errors="coerce", utc=bool(texts.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$").any()))
            found = pd.DatetimeIndex(parsed)
        missing = np.asarray(found.isna())
        if missing.any():
            self.bad(int(np.flatnonzero(missing)[0]), name, "is no date or time: write YYYYMMDD, YYYY-MM-DD or YYYY-MM-DD HH:MM:SS")
        local = found.tz_localize(zone) if found.tz is None else found.tz_convert(zone)
        return local, local.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)


def read_table(path: Path, needed: Sequence[str], what: str) -> Table:
    """A file with the needed columns. what: what its rows are. Raises BadBars."""
    frame = _read(path)
    known = {str(column).strip().lower(): str(column) for column in frame.columns}
    names = {ours: known[theirs] for ours, options in ALIASES.items() for theirs in options[::-1] if theirs in known}
    if "time" in needed and "time" not in names and len(frame.columns) and str(frame.columns[0]).lower() in ("", "unnamed: 0", "index"):
        names["time"] = str(frame.columns[0])  # an index that pandas has written
    missing = [name for name in needed if name not in names]
    if missing:
        wanted = ", ".join(" or ".join(ALIASES[name]) for name in missing)
        found = ", ".join(map(str, frame.columns)) or "nothing"
        raise BadBars(f"{path}: line 1: missing column {wanted}; found {found}")
    if not len(frame):
        raise BadBars(f"{path}: has no {what}")
    return Table(path, frame, names)


def _read(path: Path) -> pd.DataFrame:
    texts: dict[Any, Any] = {
        alias: str
        for name in ("code", "time", "ex_date")
        for lower in ALIASES[name]
        for alias in (lower, lower.capitalize(), lower.upper())
    }
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            return frame.reset_index() if frame.index.name or not isinstance(frame.index, pd.RangeIndex) else frame
        frame = pd.read_csv(
            path, dtype=texts, skip_blank_lines=False, encoding="utf-8-sig", index_col=False,
        )  # fmt: skip
    except OSError as error:
        raise BadBars(f"{path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, ValueError) as error:  # pandas' ParserError and EmptyDataError, pyarrow's errors are ValueErrors
        kind = "Parquet" if path.suffix == ".parquet" else "CSV in UTF-8"
        raise BadBars(f"{path}: is no {kind}: {' '.join(str(error).split())}") from error
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    return frame.dropna(how="all")
