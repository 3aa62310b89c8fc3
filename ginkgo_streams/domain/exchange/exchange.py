"""The simulated exchange of one partition of codes: orders in, reports out, driven by price updates and the clock.

Keys of its table: `o:<order id>` an order with all its reports, `c:<code>` the last update and day of a code, `clock` the event time.
An order's value is durable before its reports are visible (`ExchangeChanges.dirty`); codes and clock are written at checkpoints only
(`touched`) and may be lost back to the last of them. What makes a replay from there exact:

* The owner writes in the order it is told: changed orders of an input before the codes that have seen it. So a `c:` value that
  has seen an input proves that the orders hold all its effects, and the input is skipped.
* Else the code sees the input again, an order that has it already (`fresh` false) does not, and what such an order took of the update
  is found in its marks, so that the others get what they got, or would have got.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from ginkgo_streams.domain import pricing
from ginkgo_streams.domain.events import (
    ASK,
    BID,
    INTERVAL,
    PREV_CLOSE,
    PRICE,
    SELL,
    SEQ,
    TS,
    VOLUME,
    Cancel,
    CorporateAction,
    Order,
    Quotes,
    Report,
)
from ginkgo_streams.domain.exchange import acceptance, matching
from ginkgo_streams.domain.exchange.book import CodeState, Entry, decode_clock, decode_code, decode_entry, encode
from ginkgo_streams.domain.exchange.codes import Codes
from ginkgo_streams.domain.exchange.halts import Halts
from ginkgo_streams.domain.exchange.line import Line
from ginkgo_streams.domain.exchange.settings import ExchangeSettings, per_million
from ginkgo_streams.domain.halts import Halt
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.money import cny

CLOCK, HALTS = "clock", "halts"

UNBOUNDED = 1 << 62
"""Shares free of an update where participation does not bound them."""

Fresh = Callable[[str], bool]
"""Of a key: false where its recovered value has the input at hand in it already."""


MANY = 16
"""Codes of one moment from which on it pays to look at them in columns."""


def always(key: str) -> bool:
    """Everything is fresh: nothing is replayed."""
    return True


@dataclass(frozen=True, slots=True)
class _Moment:
    """Of the codes of some quotes: where each stands in them, their rows, their keys in the table."""

    codes: tuple[str, ...]
    place: dict[str, int]
    rows: NDArray[np.intp]
    keys: frozenset[str]


@dataclass(slots=True)
class ExchangeChanges:
    """What an input did: keys to be made durable, in this order, and the reports to publish after that."""

    dirty: list[str] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)


class Exchange:
    """Orders of a set of codes. Same inputs, same results: no clock, no random, no I/O.

    An order ends as filled, cancelled, expired (at the close of the trading day it is good for) or rejected. A rejection comes
    at once, or, for an order given before its day's first price, with that price, after its ack: only then are the day's limits known.
    """

    def __init__(self, profile: Profile, settings: ExchangeSettings) -> None:
        self._profile = profile
        self._settings = settings
        self._participation = None if settings.participation == inf else per_million(settings.participation)
        self._slippage = per_million(settings.slippage_rate)
        self._line = Line(settings.seed, per_million(settings.disconnect_rate))
        self._orders: dict[str, Entry] = {}
        self._live: dict[str, dict[str, Entry]] = {}  # by code, those not closed
        self._codes = Codes(profile)
        self._taken: dict[str, dict[tuple[int, int], int]] = {}  # by code and update: what recovered orders took of it
        self._clock = 0
        self._written = 0  # the clock as last encoded or loaded
        self._swept = 0  # the trading day up to which closed orders have been forgotten
        self._touched: set[str] = set()
        self._moment: _Moment | None = None  # of the quotes seen last
        self.halts = Halts()

    # ---- state ----

    def load(self, key: str, value: bytes) -> None:
        """Take one recovered value; empty ones are deleted keys. Raises ValueError for a key that is none of ours."""
        if not value:
            return
        if key == CLOCK:
            self._clock = self._written = decode_clock(value)
        elif key == HALTS:
            self.halts.load(value)
        elif key.startswith("c:"):
            self._codes.put(key[2:], decode_code(value))
        elif key.startswith("o:"):
            entry = decode_entry(value)
            self._keep(entry)
            taken = self._taken.setdefault(entry.order.code, {}) if entry.marks else {}
            for ts, seq, volume in entry.marks:
                taken[ts, seq] = taken.get((ts, seq), 0) + volume
        else:
            raise ValueError(f"key {key!r} is no key of the exchange's table")

    def encode(self, key: str) -> bytes:
        """The value of a key as it is now (empty: forgotten); it is then no longer touched."""
        self._touched.discard(key)
        if key == CLOCK:
            self._written = self._clock
            return encode(self._clock)
        if key == HALTS:
            return self.halts.encode()
        if key.startswith("c:"):
            return encode(self._codes.get(key[2:]))
        entry = self._orders.get(key[2:])
        return b"" if entry is None else encode(entry)

    def touched(self) -> list[str]:
        """Keys changed since they were encoded, in the order in which they have to become durable: orders, codes, clock."""
        return sorted(self._touched, key=lambda key: (key == CLOCK, key.startswith("c:"), key))

    def reports(self) -> list[Report]:
        """Every report of every order remembered: after a recovery somebody may still wait for any of them."""
        self._line.reset()
        entries = sorted(self._orders.values(), key=_age)
        return [report for entry in entries for report in entry.reports]

    # ---- inputs ----

    def submit(self, order: Order) -> ExchangeChanges:
        """Take an order. One known by its id changes nothing, and all its reports so far are given again."""
        changes = ExchangeChanges()
        known = self._orders.get(order.order_id)
        if known is not None:
            changes.reports.extend(known.reports)
            return self._through(changes)
        entry = Entry(order, self._profile.order_day(order.ts), order.ts + self._settings.ack_delay_ms)
        now = self._now(order.code)
        if self._too_old(entry.day, now):
            # Not kept: it is as old, and gets the same answer, whenever it comes again.
            message = f"the order is older than {self._settings.memory_days} trading days, for which orders are remembered"
            changes.reports.append(entry.report("rejected", entry.ready, "too_old", message))
            return self._through(changes)
        self._keep(entry)
        if self._reject(entry, self.halts.refusal(order), entry.ready, changes):
            pass  # kept as any other, so that it gets the same answer when it comes again after the start
        elif self._settings.ack_delay_ms == 0 or now >= entry.ready:
            self._decide(entry, changes)
        self._changed(entry, changes)
        return self._through(changes)

    def cancel(self, cancel: Cancel) -> ExchangeChanges:
        """Cancel what is left of an order, as soon as the exchange takes cancels and has acknowledged it.

        Of a closed order the reports are given again. An unknown one is passed over: it was rejected as too old.
        """
        changes = ExchangeChanges()
        entry = self._orders.get(cancel.order_id)
        if entry is None:
            return changes
        if entry.state == "closed":
            changes.reports.extend(entry.reports)
        elif not entry.cancel:
            entry.cancel = True
            self._cancel(entry, cancel.ts, changes)
            self._changed(entry, changes)
        return self._through(changes)

    def halt(self, halt: Halt) -> ExchangeChanges:
        """The switch is thrown: from here on new orders of the target are refused, and all its open ones end, whichever the mode: those
        not yet in the book are rejected, the others cancelled, as soon as the exchange takes cancels. A change known is no news."""
        changes = ExchangeChanges()
        seen = self.halts.take(halt)
        if seen is None:
            return changes
        live = [entry for book in self._live.values() for entry in book.values()]
        for entry in sorted(live, key=_age):
            order = entry.order
            if not halt.active or not halt.covers(order.portfolio_id, order.code):
                continue
            now = max(self._now(order.code), order.ts)
            if entry.state == "arriving":
                self._reject(entry, ("halted", "trading was stopped before the order was in the book"), now, changes)
            else:
                entry.cancel = True
                self._cancel(entry, now, changes)
            seen.ended += 1
            self._changed(entry, changes)
        changes.dirty.append(HALTS)  # behind the orders: a halt that is durable is so with all that stood in front of it
        return self._through(changes)

    def waiting(self) -> list[Order]:
        """Orders that a halt in force is to end and that are still open: the exchange takes no cancels at the moment."""
        halts = self.halts.active()
        if not halts:
            return []
        asked = [entry for book in self._live.values() for entry in book.values() if entry.cancel]
        return [e.order for e in sorted(asked, key=_age) if any(h.covers(e.order.portfolio_id, e.order.code) for h in halts)]

    @property
    def idle(self) -> bool:
        """Whether no order is open: then prices change nothing but the last ones known."""
        return not any(self._live.values())

    @property
    def now(self) -> int:
        """The newest clock, ms (0: none yet)."""
        return self._clock

    def on_clock(self, ts: int, fresh: Fresh) -> ExchangeChanges:
        """Event time goes on: late acks, the close, waiting cancels, and what is old is forgotten.

        A ts that the clock has passed counts as the clock's: after a crash the clock may be ahead of some orders.
        """
        changes = ExchangeChanges()
        if ts > self._clock:
            self._clock = ts
            self._touched.add(CLOCK)
        waiting = [entry for book in self._live.values() for entry in book.values()]
        for entry in sorted(waiting, key=_age):
            if fresh(f"o:{entry.order.order_id}") and self._attend(entry, self._clock, changes):
                self._changed(entry, changes)
        self._forget(changes)
        changes = self._through(changes)
        changes.reports = self._line.back(self._clock) + changes.reports
        return changes

    def on_action(self, action: CorporateAction) -> ExchangeChanges:
        """A dividend or split, once, before the first price of its ex-date: the previous close is that of the day before, brought down."""
        changes = ExchangeChanges()
        state = self._codes.get(action.code)
        if state is not None:
            state.price = action.price(state.price)
            self._codes.put(action.code, state)
            self._touched.add(f"c:{action.code}")
        return changes

    def on_quotes(self, quotes: Quotes, fresh: Fresh, inside: bool = False) -> ExchangeChanges:
        """Price updates: those out of session, repeated, older or outside the price limits are passed over. inside: whether the caller
        knows all to be in session."""
        changes = ExchangeChanges()
        if fresh is always and len(quotes) >= MANY and not self._taken and self._at_once(quotes, changes):
            return self._through(changes)
        columns: list[list[int]] = quotes.data.tolist()
        places = range(len(quotes)) if inside else np.flatnonzero(self._profile.open_mask(quotes.data[TS])).tolist()
        for at in places:
            code = quotes.codes[at]
            if fresh(f"c:{code}"):
                self._update(code, [column[at] for column in columns], fresh, changes)
        return self._through(changes)

    def _at_once(self, quotes: Quotes, changes: ExchangeChanges) -> bool:
        """`on_quotes` for many codes of one moment, where nothing is replayed: only codes with orders are looked at one by one. False,
        and nothing done, where a code is there twice."""
        moment = self._moment
        if moment is None or moment.codes is not quotes.codes:
            place = {code: at for at, code in enumerate(quotes.codes)}
            rows = np.array([self._codes.row(code) for code in quotes.codes], np.intp)
            moment = self._moment = _Moment(quotes.codes, place, rows, frozenset(f"c:{code}" for code in quotes.codes))
        if len(moment.place) < len(quotes):
            return False
        ts = quotes.data[TS]
        first, last = self._profile.trading_day(int(ts.min())), self._profile.trading_day(int(ts.max()))
        inside = self._profile.open_mask(ts)
        if first != last or not inside.all():
            return False
        admitted = self._codes.take(moment.rows, quotes.data, np.full(len(ts), first, np.int64))
        self._touched |= moment.keys if admitted.all() else {f"c:{quotes.codes[at]}" for at in np.flatnonzero(admitted).tolist()}
        for at in sorted(moment.place[code] for code, book in self._live.items() if book and code in moment.place):
            code = quotes.codes[at]
            state = self._codes.get(code)
            if admitted[at] and state is not None:
                self._trade(code, quotes.data[:, at].tolist(), state, always, changes)
        return True

    # ---- one update of one code ----

    def _update(self, code: str, row: list[int], fresh: Fresh, changes: ExchangeChanges) -> None:
        state = self._admit(code, row)
        if state is None:
            return
        self._codes.put(code, state)
        self._touched.add(f"c:{code}")
        self._trade(code, row, state, fresh, changes)

    def _trade(self, code: str, row: list[int], state: CodeState, fresh: Fresh, changes: ExchangeChanges) -> None:
        """What an update that is admitted does to the orders of its code."""
        taken = self._taken.pop(code, None)
        book = self._live.get(code)
        if book:
            left = UNBOUNDED if self._participation is None else row[VOLUME] * self._participation // 1_000_000
            if taken is not None:
                left -= taken.get((state.ts, state.seq), 0)
            for entry in sorted(book.values(), key=matching.turn):
                if not fresh(f"o:{entry.order.order_id}"):
                    continue
                changed = self._attend(entry, state.ts, changes)
                volume = self._match(entry, row, state, left, changes)
                left -= volume
                if changed or volume or entry.state == "closed":
                    self._changed(entry, changes)
        if taken is not None:
            later = {update: volume for update, volume in taken.items() if update > (state.ts, state.seq)}
            if later:
                self._taken[code] = later

    def _admit(self, code: str, row: list[int]) -> CodeState | None:
        """The state of the code after an update, or None where the update does not count.

        The previous close is the update's, else the last price of the day before. A first price of the day outside limits that
        rest on the latter means that it does not hold (an ex-date, say): the code has no limits known that day.
        """
        ts, seq, price = row[TS], row[SEQ], row[PRICE]
        last = self._codes.get(code)
        if price <= 0 or (last is not None and (ts, seq) <= (last.ts, last.seq)):
            return None
        day = self._profile.trading_day(ts)
        first = last is None or day != last.day
        prev_close = row[PREV_CLOSE]
        if not prev_close and last is not None:
            prev_close = last.price if first else last.prev_close
        limits = self._profile.price_limits(code, prev_close, day)
        if limits is not None and not limits[0] <= price <= limits[1]:
            if row[PREV_CLOSE] or not first:
                return None
            prev_close = 0
        return CodeState(ts, seq, price, day, prev_close, row[BID], row[ASK])

    def _match(self, entry: Entry, row: list[int], state: CodeState, left: int, changes: ExchangeChanges) -> int:
        """Fill an order from an update of which `left` shares are free. Returns the shares it took."""
        order, profile = entry.order, self._profile
        if entry.state != "open" or (profile.day_orders and state.day != entry.day):
            return 0
        if not entry.marks and self._reject(entry, acceptance.outside_limits(profile, order, state), state.ts, changes):
            return 0
        if left <= 0 or not self._after(entry, row):
            return 0
        limits = profile.price_limits(order.code, state.prev_close, state.day)
        price = matching.fill_price(order, row, limits, self._slippage, profile.tick)
        if price == 0:
            return 0
        most = self._within_budget(entry, price, state.day) if order.budget else entry.remaining
        if order.budget and not entry.marks:
            if most == 0:
                message = f"{cny(order.budget)} does not cover the smallest volume at {cny(price)}"
                self._reject(entry, ("cash", message), state.ts, changes)
                return 0
            entry.order = order = structs.replace(order, volume=most)
        volume = min(matching.volume_taken(entry.remaining, left, profile.lot), most)
        if volume:
            fees = profile.fees(order.direction, volume * price, state.day, order.code, entry.commission, entry.amount)
            if order.direction == SELL and volume < entry.remaining and volume * price < fees.total:
                return 0  # a part that does not bring its fees: the seller may have no cash for them
            changes.reports.append(entry.fill(volume, price, fees, (state.ts, state.seq)))
        if volume == most < entry.remaining + volume:
            message = f"what is left of {cny(order.budget)} does not cover the rest at {cny(price)}"
            changes.reports.append(entry.report("cancelled", state.ts, "cash", message))
        return volume

    def _within_budget(self, entry: Entry, price: int, day: int) -> int:
        """Shares of the rest of an order that what is left of its budget covers at a price."""
        order = entry.order
        left = order.budget - entry.amount - entry.commission
        return pricing.affordable(self._profile, order.code, price, day, left, entry.remaining, entry.commission, entry.amount)

    def _after(self, entry: Entry, row: list[int]) -> bool:
        """Whether all of an update is later than the order: never fill from the price an order came from, nor from within its bar.

        A bar whose formal start is in closed hours (a day's bar) starts with the session.
        """
        ts = row[TS]
        if row[INTERVAL] == 0:
            return ts > entry.ready
        start = ts - row[INTERVAL]
        if self._profile.phase(start + 1) == "closed":
            start = max(start, self._profile.session_open_ts(self._profile.trading_day(ts)))
        return start >= entry.ready

    # ---- steps of an order ----

    def _through(self, changes: ExchangeChanges) -> ExchangeChanges:
        """With the reports that get through to their senders now."""
        changes.reports = self._line.carry(changes.reports)
        return changes

    def _attend(self, entry: Entry, ts: int, changes: ExchangeChanges) -> bool:
        """What time alone does to an order: late ack, close of its day, waiting cancel. Returns whether it changed."""
        given = len(entry.reports)
        if entry.state == "arriving" and ts >= entry.ready:
            self._decide(entry, changes)
        if entry.state == "open" and self._profile.day_orders and ts > self._profile.close_ts(entry.day):
            changes.reports.append(entry.report("expired", self._profile.close_ts(entry.day)))
        self._cancel(entry, ts, changes)
        return len(entry.reports) > given

    def _decide(self, entry: Entry, changes: ExchangeChanges) -> None:
        code = entry.order.code
        refusal = acceptance.refusal(self._profile, self._settings, entry, self._codes.get(code), self._now(code))
        if not self._reject(entry, refusal, entry.ready, changes):
            changes.reports.append(entry.report("ack", entry.ready))

    def _reject(self, entry: Entry, refusal: acceptance.Refusal | None, ts: int, changes: ExchangeChanges) -> bool:
        if refusal is None:
            return False
        changes.reports.append(entry.report("rejected", ts, *refusal))
        return True

    def _cancel(self, entry: Entry, ts: int, changes: ExchangeChanges) -> None:
        """A call auction holds its orders to its end; an order for a later day is in none."""
        if entry.cancel and entry.state == "open" and (self._profile.can_cancel(ts) or entry.day != self._profile.trading_day(ts)):
            changes.reports.append(entry.report("cancelled", ts))

    # ---- keeping ----

    def _keep(self, entry: Entry) -> None:
        self._orders[entry.order.order_id] = entry
        if entry.state != "closed":
            self._live.setdefault(entry.order.code, {})[entry.order.order_id] = entry

    def _changed(self, entry: Entry, changes: ExchangeChanges) -> None:
        key = f"o:{entry.order.order_id}"
        self._touched.add(key)
        if key not in changes.dirty:
            changes.dirty.append(key)
        if entry.state == "closed":
            self._live[entry.order.code].pop(entry.order.order_id, None)

    def _forget(self, changes: ExchangeChanges) -> None:
        """Once a day: drop closed orders that are too old, by the clock that was written before.

        Were it not written yet, a crash could lose it, and a forgotten order that comes again would be taken for a new one.
        """
        today = self._profile.trading_day(self._written)
        if today == self._swept:
            return
        self._swept = today
        for order_id, entry in sorted(self._orders.items()):
            if entry.state == "closed" and self._too_old(self._last_day(entry), self._written):
                del self._orders[order_id]
                self._touched.discard(f"o:{order_id}")
                changes.dirty.append(f"o:{order_id}")

    def _last_day(self, entry: Entry) -> int:
        """The last trading day an order had to do with."""
        return max(entry.day, self._profile.trading_day(entry.reports[-1].ts))

    def _too_old(self, day: int, now: int) -> bool:
        return self._profile.trading_days_between(day, self._profile.trading_day(now)) > self._settings.memory_days

    def _now(self, code: str) -> int:
        """Event time, as far as the code's updates and the clock tell."""
        state = self._codes.get(code)
        return self._clock if state is None else max(self._clock, state.ts)


def _age(entry: Entry) -> tuple[int, str]:
    return entry.order.ts, entry.order.order_id
