"""Which price updates are taken into the windows (trading rules, 1.1): once per slot and code, for many codes at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain import events as e
from ginkgo_streams.domain import ids
from ginkgo_streams.domain import windows as w
from ginkgo_streams.domain.bars import FIELDS, Updates
from ginkgo_streams.domain.batch import Batch
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.ring import Ring
from ginkgo_streams.domain.windows import Windows

MAX_REFUSALS = 3
"""Abnormal prices in a row, agreeing with each other, after which the next is taken: a real gap never silences a code for ever."""
AGREE = 3
"""Percent within which refused prices agree."""
MAX_AHEAD = 5_000
"""ms an update may be ahead of the newest event time. Bars are free of it: a bar is dated at its end."""

ANOMALIES = {
    "not_positive": "is not positive", "limits": "is outside the price limits of the day",
    "jump": "is too far from the last to be true", "future": f"is dated more than {MAX_AHEAD // 1000} s ahead of the newest event",
}  # fmt: skip
"""Refusals that a person should know of. The others are "older", "duplicate" and "closed"."""

_COPIED = np.array([[w.TS], [w.SEQ], [w.PRICE], [w.VOLUME], [w.BID], [w.ASK]])
_OF_UPDATE = np.array([e.TS, e.SEQ, e.PRICE, e.VOLUME, e.BID, e.ASK])
_BOUNDS = np.array([[w.LOW], [w.HIGH], [w.DAY], [w.PREV_CLOSE]])
_NO_REFUSAL = np.array([[w.REFUSALS], [w.REFUSED_TS]])
"""Rows of `Windows.meta`, with an axis for the codes, and those of `Quotes.data` that they take."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An update that was not taken."""

    code: str
    ts: int
    price: int
    reason: str

    def alert(self) -> e.Alert | None:
        """The alert of an abnormal price; None for what is normal in a feed."""
        if self.reason not in ANOMALIES:
            return None
        price = self.price / e.UNIT
        return e.Alert(
            alert_id=ids.alert_id("data_anomaly", self.code, self.ts, self.price), alert_type="data_anomaly", severity="warning",
            source=self.code, message=f"Price of {self.code} refused: {price:g} {ANOMALIES[self.reason]}",
            details={"code": self.code, "price": price, "reason": self.reason}, ts=self.ts,
        )  # fmt: skip


def ahead(windows: Windows, ts: NDArray[np.int64], interval: NDArray[np.int64], advance: bool) -> NDArray[np.bool_]:
    """Which updates, in order of arrival, are dated too far ahead; the others move the newest event time on (if `advance`)."""
    newest, clocked = windows.newest, windows.clocked
    future = np.zeros(len(ts), np.bool_)
    if clocked and int(ts.max(initial=0)) > newest + MAX_AHEAD and not interval.all():
        for i, (at, length) in enumerate(zip(ts.tolist(), interval.tolist(), strict=True)):
            if at > newest + MAX_AHEAD and length == 0:
                future[i] = True
            elif at > newest:
                newest = at
    else:
        newest = max(newest, int(ts.max(initial=0)))
    if advance:
        windows.reach(newest)
    return future


def admit(
    windows: Windows, profile: Profile, rows: NDArray[np.intp], data: NDArray[np.int64], future: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.int64], list[Refusal]]:
    """Judge updates of distinct codes against the windows and note refusals there.

    rows: (n,); data: (len(FIELDS), n); future: (n,). Returns the places (of the n) that are admitted, the price limits and
    the trading day that hold for them (int64 of shape (4, m): low, high, day, previous close), and the refusals.
    """
    ts, seq, price = data[e.TS], data[e.SEQ], data[e.PRICE]
    last = windows.meta[:, rows]
    closed = ~profile.open_mask(ts)
    same = (ts == last[w.TS]) & (seq == last[w.SEQ]) | (ts == last[w.REFUSED_TS])
    older = (ts < last[w.TS]) | ((ts == last[w.TS]) & (seq < last[w.SEQ]))
    fine = ~(future | closed | same | older) & (price > 0)
    day = _days(profile, ts)
    low, high, prev = _limits(windows, profile, rows, data, last, day, fine)
    outside = (high > 0) & ((price < low) | (price > high))
    opening = (day > last[w.DAY]) & (data[e.PREV_CLOSE] > 0)
    reference = np.where(opening, data[e.PREV_CLOSE], last[w.PRICE])
    jump = (reference > 0) & (profile.max_jump > 0) & (np.abs(price - reference) * 100 > reference * profile.max_jump)
    jump &= ~(opening & (high > 0))  # from the close that the exchange names a price may go as far as the day's limits
    bad = fine & (outside | jump)
    if bad.any():
        agree = (last[w.REFUSALS] > 0) & (np.abs(price - last[w.REFUSED_PRICE]) * 100 <= last[w.REFUSED_PRICE] * AGREE)
        settled = bad & agree & (last[w.REFUSALS] >= MAX_REFUSALS)
        low[settled & outside] = high[settled & outside] = 0  # the limits were those of a wrong close
        bad &= ~settled
        at = rows[bad]
        windows.meta[w.REFUSALS, at] = np.where(agree, last[w.REFUSALS] + 1, 1)[bad]
        windows.meta[w.REFUSED_PRICE, at] = price[bad]
        windows.meta[w.REFUSED_TS, at] = ts[bad]
        windows.touched[windows.chunk_of[at]] = True
    if future.any():  # so that a chunk is durable before the clock that would judge this update otherwise in a replay
        windows.touched[windows.chunk_of[rows[future]]] = True
    taken = np.flatnonzero(fine & ~bad)
    refusals: list[Refusal] = []
    if len(taken) < len(rows):
        reasons = np.select(
            [future, closed, same, older, price <= 0, bad & outside, bad],
            ["future", "closed", "duplicate", "older", "not_positive", "limits", "jump"], "",
        )  # fmt: skip
        refusals = [
            Refusal(windows.codes[rows[i]], int(ts[i]), int(price[i]), str(reasons[i])) for i in np.flatnonzero(reasons != "").tolist()
        ]
    return taken, np.stack([low, high, day, prev])[:, taken], refusals


def known(windows: Windows, profile: Profile, rows: NDArray[np.intp], data: NDArray[np.int64], day: int) -> NDArray[np.int64]:
    """The bounds, as `admit` gives them, of updates of distinct codes of one trading day that are known to be good and to name one
    previous close a day: the caller has judged them by the rules of `admit`."""
    if windows.meta[w.DAY, rows].tolist() == [day] * len(rows):
        return np.asarray(windows.meta[_BOUNDS, rows], np.int64)
    days = np.full(len(rows), day, np.int64)
    low, high, prev = _limits(windows, profile, rows, data, windows.meta[:, rows], days, np.ones(len(rows), np.bool_))
    return np.stack([low, high, days, prev])


def pass_over(windows: Windows, rows: NDArray[np.intp], data: NDArray[np.int64], bounds: NDArray[np.int64]) -> None:
    """Bring into the windows what nobody looks at before a later update of its day is taken: several updates of each of rows.

    data: (len(FIELDS), moments, n), oldest first; bounds: as `admit` gave them for the later ones. Bars are not made of them.
    """
    price = data[e.PRICE]
    windows.updates["close"].extend(rows, price)
    if len(windows.updates) > 1:
        for ring, values in _other_fields(windows, data, bounds):
            ring.extend(rows, values)


def take(
    windows: Windows, profile: Profile, rows: NDArray[np.intp], data: NDArray[np.int64], bounds: NDArray[np.int64]
) -> Batch:  # fmt: skip
    """Put admitted updates of one trading day into the windows. bounds: as `admit` gave them."""
    meta = windows.meta
    price = data[e.PRICE]
    ended = {}
    if windows.bars:
        day = int(bounds[2, 0])
        opens, closes = profile.continuous_open_ts(day), profile.close_ts(day)
        before_ts, before_day = meta[w.TS, rows], meta[w.DAY, rows]
        for interval, bars in windows.bars.items():
            values = _values(data, bounds, bars.daily)
            ended[interval] = bars.take(rows, Updates(data[e.TS], data[e.INTERVAL], values, before_ts, before_day, day, opens, closes))
    meta[_COPIED, rows] = data[_OF_UPDATE]
    meta[_BOUNDS, rows] = bounds
    meta[_NO_REFUSAL, rows] = 0
    windows.updates["close"].push(rows, price)
    if len(windows.updates) > 1:
        for ring, values in _other_fields(windows, data, bounds):
            ring.push(rows, values)
    windows.touch(rows)
    return Batch(windows, rows, data[e.TS], price, data[e.VOLUME], data[e.INTERVAL], ended)


def _other_fields(windows: Windows, data: NDArray[np.int64], bounds: NDArray[np.int64]) -> Iterator[tuple[Ring, NDArray[np.int64]]]:
    """The rings of fields other than the close, and what updates give to them."""
    values = _values(data, bounds, False)
    for name, given in zip(FIELDS, values, strict=True):
        if name != "close" and (ring := windows.updates.get(name)) is not None:
            yield ring, np.where(given > 0, given, data[e.PRICE]) if name == "open" else given


def _values(data: NDArray[np.int64], bounds: NDArray[np.int64], daily: bool) -> NDArray[np.int64]:
    """The fields of bars that updates give: (6, n), or (6, moments, n) of data of as many axes. Of a tick high and low are its price, but
    for the day's bar: there they are those of the day so far. Where an update's own do not enclose its price, or are outside the day's
    limits, its price stands. Open 0: unknown.
    """
    price, volume = data[e.PRICE], data[e.VOLUME]
    low, high, open_ = data[e.LOW], data[e.HIGH], data[e.OPEN]
    own = (data[e.INTERVAL] > 0) | daily
    own &= (low > 0) & (low <= price) & (price <= high) & (low >= bounds[0]) & ((bounds[1] == 0) | (high <= bounds[1]))
    own_open = own & (open_ >= low) & (open_ <= high)
    return np.stack([
        np.where(own_open, open_, 0), np.where(own, high, price), np.where(own, low, price), price, volume, price * volume,
    ])  # fmt: skip


def _days(profile: Profile, ts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The trading day of each ts."""
    first, last = profile.trading_day(int(ts.min())), profile.trading_day(int(ts.max()))
    if first == last:
        return np.full(len(ts), first, np.int64)
    return np.array([profile.trading_day(at) for at in ts.tolist()], np.int64)


def _limits(
    windows: Windows, profile: Profile, rows: NDArray[np.intp], data: NDArray[np.int64], last: NDArray[np.int64], day: NDArray[np.int64],
    fine: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """Low, high and the previous close they follow from: that of the update, else on a new day the last price."""
    fresh = day > last[w.DAY]
    prev = np.where(data[e.PREV_CLOSE] > 0, data[e.PREV_CLOSE], np.where(fresh, last[w.PRICE], last[w.PREV_CLOSE]))
    low, high = last[w.LOW].copy(), last[w.HIGH].copy()
    new = np.flatnonzero(fine & (fresh | (prev != last[w.PREV_CLOSE])))
    if len(new):
        low[new], high[new] = profile.limit_columns(windows.limit_classes(profile)[rows[new]], prev[new], day[new])
    return low, high, prev
