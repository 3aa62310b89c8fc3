"""The replay feed: bars of files as price updates, a step for each moment at which some end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ginkgo_streams.bars.columns import BadBars, Bars
from ginkgo_streams.domain import events as e
from ginkgo_streams.feeds.step import Step
from ginkgo_streams.messages import INTERVALS, Interval, PriceUpdate, iso

NAMES = {length: name for name, length in INTERVALS.items() if length}


def replayable(bars: Bars, codes: Sequence[str] = ()) -> Bars:
    """The bars of some codes, of all where none are named. Raises BadBars where a code has none, or bars of a length that no price
    update has."""
    if missing := [code for code in codes if code not in bars.codes]:
        raise BadBars(f"there are no bars of {', '.join(missing)}; there are of {', '.join(bars.codes)}")
    chosen = bars.select(np.isin(bars.code_of, [bars.codes.index(code) for code in codes])) if codes else bars
    for code, length in _lengths(chosen).items():
        if length not in NAMES:
            raise BadBars(f"bars of {code} are {length / 60_000:g} minutes long; those of {', '.join(NAMES.values())} can be replayed")
    return chosen


def replay(bars: Bars, *, speed: float = 0.0, after_ms: int = 0) -> Iterator[Step]:
    """Replayable bars as steps. speed: seconds of event time per wall second, 0 as fast as it goes. after_ms: event time already
    published, up to which bars are left out. Raises ValueError for a speed, before the first step."""
    if not (math.isfinite(speed) and speed >= 0):
        raise ValueError(f"speed is {speed!r}: must be 0 (as fast as it goes) or the event seconds per wall second")
    intervals = {code: NAMES[length] for code, length in _lengths(bars).items()}
    return _steps(bars.select(bars.data[e.TS] > after_ms), intervals, speed)


def _lengths(bars: Bars) -> dict[str, int]:
    """How long the bars of each code are, ms: one at the edge of a session may say less."""
    lengths = np.zeros(len(bars.codes), np.int64)
    np.maximum.at(lengths, bars.code_of, bars.data[e.INTERVAL])
    return {code: length for code, length in zip(bars.codes, lengths.tolist(), strict=True) if length}


def _steps(bars: Bars, intervals: Mapping[str, Interval], speed: float) -> Iterator[Step]:
    before: int | None = None
    for quotes in bars.moments():
        moment = int(quotes.data[e.TS, 0])
        wait = (moment - before) / 1000 / speed if speed and before is not None else 0.0
        yield Step(moment, _updates(quotes, moment, intervals), wait)
        before = moment


def _updates(quotes: e.Quotes, moment: int, intervals: Mapping[str, Interval]) -> list[PriceUpdate]:
    stamp = iso(moment)
    prices = (quotes.data[[e.OPEN, e.HIGH, e.LOW, e.CLOSE, e.PREV_CLOSE]] / e.UNIT).T.tolist()
    volumes = quotes.data[e.VOLUME].tolist()
    return [
        PriceUpdate(
            timestamp=stamp, code=code, price=close, volume=volume, open=opening, high=high, low=low, close=close,
            prev_close=previous or None, seq=moment, interval=intervals[code],
        )
        for code, (opening, high, low, close, previous), volume in zip(quotes.codes, prices, volumes, strict=True)
    ]  # fmt: skip
