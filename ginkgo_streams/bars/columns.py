"""Bars of many codes in columns, in order of time: what the driver walks over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.events import FIELDS, TS, CorporateAction, Quotes


class BadBars(ValueError):
    """Bars that cannot be used: the text names file, line, column and value, and what would be right."""


@dataclass(frozen=True, slots=True)
class Bars:
    """n bars. codes: sorted names; data: int64 of shape (len(FIELDS), n) as `Quotes.data`, by time and then code; code_of: which of
    `codes` each bar is of, shape (n,). actions: dividends and splits, by ex-date. warnings: what a person should look at."""

    codes: tuple[str, ...]
    data: NDArray[np.int64]
    code_of: NDArray[np.intp]
    daily: bool
    actions: tuple[CorporateAction, ...] = ()
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.code_of)

    @property
    def edges(self) -> NDArray[np.intp]:
        """Where each moment begins, and behind the last the end: bars edges[i] to edges[i + 1] have one time."""
        ts = self.data[TS]
        starts = np.flatnonzero(np.diff(ts)) + 1
        return np.concatenate(([0], starts, [len(ts)])).astype(np.intp) if len(ts) else np.zeros(1, np.intp)

    def part(self, start: int, end: int) -> Quotes:
        """The bars from start to end - 1, which are of one moment."""
        codes = self.codes
        if end - start < len(codes):
            codes = tuple(codes[place] for place in self.code_of[start:end].tolist())
        return Quotes(codes, self.data[:, start:end])

    def moments(self) -> Iterator[Quotes]:
        """The bars of each moment, in order of time."""
        edges = self.edges.tolist()
        return (self.part(start, end) for start, end in pairwise(edges))

    def select(self, mask: NDArray[np.bool_]) -> Bars:
        """The bars at mask, bool of shape (n,); the codes stay."""
        return Bars(self.codes, np.ascontiguousarray(self.data[:, mask]), self.code_of[mask], self.daily, self.actions, self.warnings)


def joined(codes: tuple[str, ...], parts: list[tuple[int, NDArray[np.int64]]]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Bars of single codes (place in `codes`, columns) as (data, code_of) of `Bars`."""
    if not parts:
        return np.zeros((len(FIELDS), 0), np.int64), np.zeros(0, np.intp)
    data = np.concatenate([columns for _, columns in parts], axis=1)
    code_of = np.concatenate([np.full(columns.shape[1], place, np.intp) for place, columns in parts])
    order = np.lexsort((code_of, data[TS]))
    return np.ascontiguousarray(data[:, order]), code_of[order]
