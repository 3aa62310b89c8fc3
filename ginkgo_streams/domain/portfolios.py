"""The portfolios of one slot and the market view they share: the kernel as the engine's adapters drive it.

A pure fold. `fresh` is false where the recovered value of a portfolio has an input in it already: the windows still take the
tick, that portfolio does not see it. What the adapter owes for that to be exact:

* Values called dirty or touched up to an input are durable before a chunk that has that input; chunks before the chunk
  "clock", which `touched_chunks` names last. So where any chunk is not fresh, every portfolio is past the input already.
* Inputs of one topic come in order, and the ticks of a slot are one topic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain import admission, commands, day, reload
from ginkgo_streams.domain import events as e
from ginkgo_streams.domain import windows as w
from ginkgo_streams.domain.batch import Batch
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.config import BadConfig, Kit, build
from ginkgo_streams.domain.corporate import adjust, book_action
from ginkgo_streams.domain.events import Command, CorporateAction, Quotes, Report
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.marketview import Market
from ginkgo_streams.domain.overdue import cancel_overdue, tell_silence
from ginkgo_streams.domain.portfolio import Portfolio, fail
from ginkgo_streams.domain.registry import Registry, builtin
from ginkgo_streams.domain.reports import apply_report, unknown
from ginkgo_streams.domain.trading import restate, trade
from ginkgo_streams.domain.view import View, view
from ginkgo_streams.domain.windows import Windows

ALL = "*"
"""Stands for all codes in `interest`."""

Fresh = Callable[[str], bool]


class Portfolios:
    """The portfolios of one slot. Every method is deterministic and does no I/O. Raises LedgerBroken where books do not add up."""

    def __init__(self, profile: Profile, registry: Registry = builtin) -> None:
        self.portfolios: dict[str, Portfolio] = {}
        self.refused: dict[str, int] = {}
        """Updates not admitted, by reason, since this process began."""
        self._registry = registry
        self._market = Market(profile, Windows())
        self._kits: dict[str, Kit | BadConfig] = {}
        self._touched: set[str] = set()
        self._interval = 0
        """The longest bar of the last updates, ms: 0 for ticks."""
        self._recovered: set[str] = set()
        """Chunks that were loaded and may still be past the input that comes."""
        self._interest: tuple[str, ...] | None = None
        self._wanted: frozenset[str] | None = frozenset()
        self._order: list[str] = []
        self._seen_rows: tuple[tuple[str, ...], NDArray[np.intp]] | None = None

    # ---- events ----

    def on_quotes(self, quotes: Quotes, fresh: Fresh, fresh_chunk: Fresh) -> Changes:
        """Price updates: windows take them, running portfolios see them."""
        changes = Changes()
        windows, profile = self._market.windows, self._market.profile
        self.interest()
        rows, wanted = self._rows(quotes.codes)
        data = quotes.data
        if wanted is not None:
            rows, data = rows[wanted], data[:, wanted]
        if not len(rows):
            return changes
        self._interval = int(data[e.INTERVAL].max())
        self._recovered = {name for name in self._recovered if not fresh_chunk(name)}
        past = np.array([name in self._recovered for name in w.NAMES], np.bool_) if self._recovered else None
        future = admission.ahead(windows, data[e.TS], data[e.INTERVAL], w.CLOCK not in self._recovered)
        seeing = [] if self._recovered else [portfolio_id for portfolio_id in self._order if fresh(portfolio_id)]
        for part in _parts(profile, rows, data[e.TS]):
            if past is not None:
                part = part[~past[windows.chunk_of[rows[part]]]]
                if not len(part):
                    continue
            taken, bounds, refusals = admission.admit(windows, profile, rows[part], data[:, part], future[part])
            self._refuse(refusals, changes)
            if not len(taken):
                continue
            at = part[taken]
            opened = profile.trading_day(int(data[e.TS, at].min()))
            self._settle(seeing, opened, int(data[e.TS, at].min()), changes)
            batch = admission.take(windows, profile, rows[at], data[:, at], bounds)
            for portfolio_id in seeing:
                self._see(portfolio_id, batch, opened, changes)
        self._settle(seeing, profile.order_day(windows.newest), windows.newest, changes)
        return self._done(changes)

    def kit(self, portfolio_id: str) -> Kit | None:
        """The components of a portfolio; None where its config can no longer be built."""
        kit = self._kits[portfolio_id]
        return kit if isinstance(kit, Kit) else None

    def on_known(self, quotes: Quotes, day: int, before: NDArray[np.int64]) -> Changes:
        """`on_quotes` for the prices of one moment of trading day `day` that the caller knows to be good (see `admission.known`), each
        code once, where nothing is replayed.

        before: moments of the same day in front of it that no portfolio needs to see, all codes at each: the shape is
        (len(FIELDS), moments, codes).
        """
        changes = Changes()
        windows, profile = self._market.windows, self._market.profile
        self.interest()
        rows, wanted = self._rows(quotes.codes)
        data = quotes.data
        if wanted is not None:
            rows, data, before = rows[wanted], data[:, wanted], before[:, :, wanted]
        if not len(rows):
            return changes
        ts = int(data[e.TS, 0])
        self._interval = max(data[e.INTERVAL].tolist())
        windows.reach(ts)
        bounds = admission.known(windows, profile, rows, data, day)
        self._settle(self._order, day, ts, changes)
        if before.shape[1]:
            admission.pass_over(windows, rows, before, bounds)
        batch = admission.take(windows, profile, rows, data, bounds)
        for portfolio_id in self._order:
            self._see(portfolio_id, batch, day, changes)
        self._settle(self._order, profile.order_day(windows.newest), windows.newest, changes)
        return self._done(changes)

    def on_clock(self, ts: int, fresh: Fresh) -> Changes:
        """Event time has come to ts (ms): at the close the day ends, and what is overdue is seen. Event time never goes back: an older
        ts changes nothing."""
        changes = Changes()
        windows, profile = self._market.windows, self._market.profile
        before, clocked = windows.newest, windows.clocked
        windows.advance(ts)
        self.interest()
        newest = windows.newest
        if clocked and newest > before:
            silence = tell_silence(windows, profile, self._wanted, before, newest, self._interval)
            changes.alerts += [silence] if silence is not None else []
        for portfolio_id in self._order:
            portfolio, kit = self.portfolios[portfolio_id], self._kits[portfolio_id]
            if portfolio.open_orders and isinstance(kit, Kit) and kit.order_timeout and fresh(portfolio_id):
                cancel_overdue(profile, portfolio, kit.order_timeout, newest, changes)
        today = self._market.profile.order_day(ts)
        self._settle([i for i in self._order if self.portfolios[i].day < today and fresh(i)], today, min(ts, newest), changes)
        return self._done(changes)

    def on_report(self, report: Report) -> Changes:
        """The exchange on an order. The caller has checked that it is fresh; a doubled one does no harm."""
        changes = Changes()
        portfolio = self.portfolios.get(report.portfolio_id)
        if portfolio is None:
            changes.alerts.append(unknown(report, f"there is no portfolio {report.portfolio_id} in this slot"))
            return changes
        order, kit = portfolio.open_orders.get(report.order_id), self._kits[portfolio.portfolio_id]
        apply_report(self._market, portfolio, report, changes)
        if order is not None and isinstance(kit, Kit) and kit.codes is not None and order.code not in kit.codes:
            self._interest = None  # of a code that is no longer watched: its prices are wanted while something of it is held or open
        self._correct(portfolio, self._market.profile.trading_day(report.ts), changes)
        self._touched.add(portfolio.portfolio_id)
        return self._done(changes)

    def on_command(self, command: Command) -> Changes:
        """A control command; one that was seen does nothing."""
        changes = Changes()
        portfolio = self.portfolios.get(command.target_id)
        if portfolio is not None and command.command_id in portfolio.commands:
            return changes
        if command.command_type == "portfolio.create":
            if portfolio is None:
                made = commands.create(self._registry, command, changes)
                self._add(made)
                return self._done(changes)
            state = "was deleted" if portfolio.status == "deleted" else "exists already"
            commands.refuse(command, f"it {state}; use another id", changes, portfolio)
        elif command.command_type not in (*commands.DOES, reload.COMMAND):
            commands.refuse(command, "a portfolio does not know this command", changes, portfolio)
        elif portfolio is None:
            commands.refuse(command, "there is no portfolio of that id; create it first", changes)
        elif portfolio.status == "deleted":
            commands.refuse(command, "it was deleted", changes, portfolio)
        else:
            try:
                if command.command_type == reload.COMMAND:
                    self._reload(portfolio, command, changes)
                else:
                    commands.DOES[command.command_type](portfolio, self._registry, command, changes)
            except commands.Refused as error:
                commands.refuse(command, str(error), changes, portfolio)
            self._interest = None
        if portfolio is not None:
            commands.remember(portfolio, command, changes)
        return self._done(changes)

    def on_action(self, action: CorporateAction) -> Changes:
        """A dividend or split, once, before the first price of its ex-date: positions, and the history of the code."""
        changes = Changes()
        adjust(self._market.windows, action)
        for portfolio in self.portfolios.values():
            if portfolio.status != "deleted":
                book_action(portfolio, action, changes)
                if (kit := self.kit(portfolio.portfolio_id)) is not None:
                    restate(portfolio, kit, action, self.newest, changes)
        return self._done(changes)

    def outstanding(self, ids: Iterable[str] | None = None) -> Changes:
        """Every open order again under its id, and its cancel where one was asked: after recovery, or a new owner of the exchange.

        ids: portfolios to look at, None for all.
        """
        changes = Changes()
        for portfolio_id in sorted(self.portfolios if ids is None else set(ids) & self.portfolios.keys()):
            for order in self.portfolios[portfolio_id].open_orders.values():
                changes.orders.append(order.submission(portfolio_id))
                if order.cancel_ts:
                    changes.cancels.append(order.cancel(portfolio_id))
        return changes

    def repeat_move(self, command: Command) -> Changes:
        """A `portfolio.migrate` that the value has already: its wish once more, which a crash may have kept from being published."""
        changes = Changes()
        portfolio = self.portfolios.get(command.target_id)
        known = portfolio is not None and command.command_id in portfolio.commands
        if portfolio is not None and known and all(refusal.command_id != command.command_id for refusal in portfolio.refusals):
            commands.migrate(portfolio, self._registry, command, changes)
        return changes

    def refuse(self, command: Command, why: str) -> Changes:
        """A command that cannot be done for a reason that only the caller knows."""
        changes = Changes()
        portfolio = self.portfolios.get(command.target_id)
        if portfolio is None or command.command_id not in portfolio.commands:
            commands.refuse(command, why, changes, portfolio)
            if portfolio is not None:
                commands.remember(portfolio, command, changes)
        return self._done(changes)

    # ---- durable values ----

    def load_portfolio(self, portfolio_id: str, value: bytes) -> None:
        """Take a recovered value. Raises LedgerBroken where its books do not add up."""
        portfolio = msgspec.msgpack.decode(value, type=Portfolio)
        portfolio.check()
        self._add(portfolio)
        self._touched.discard(portfolio_id)

    def encode_portfolio(self, portfolio_id: str) -> bytes:
        """The value as it is now; it is then no longer touched. Raises KeyError for an unknown id."""
        value = msgspec.msgpack.encode(self.portfolios[portfolio_id])
        self._touched.discard(portfolio_id)
        return value

    def load_chunk(self, name: str, value: bytes) -> None:
        """Take a recovered chunk of the windows."""
        self._market.windows.load(name, value)
        self._recovered.add(name)

    def encode_chunk(self, name: str) -> bytes:
        """A chunk as it is now; it is then no longer touched. Raises KeyError for an unknown name."""
        return self._market.windows.encode(name)

    def touched_portfolios(self) -> list[str]:
        """Portfolios changed in any way since they were last encoded."""
        return sorted(self._touched)

    def touched_chunks(self) -> list[str]:
        """Chunks changed since they were last encoded; the one named "clock" is last, and to be durable last."""
        return self._market.windows.touched_names()

    # ---- for people ----

    @property
    def newest(self) -> int:
        """The newest event time of the slot, ms (0: none yet)."""
        return self._market.windows.newest

    def interest(self) -> tuple[str, ...]:
        """Codes wanted, sorted; ("*",) for all."""
        if self._interest is None:
            codes: set[str] = set()
            everything = False
            for portfolio_id, portfolio in self.portfolios.items():
                kit = self._kits[portfolio_id]
                if portfolio.status != "deleted":
                    codes |= portfolio.ledger.positions.keys() | {order.code for order in portfolio.open_orders.values()}
                    if isinstance(kit, Kit):
                        everything = everything or kit.codes is None
                        codes |= kit.codes or set()
            self._wanted = None if everything else frozenset(codes)
            self._interest = (ALL,) if everything else tuple(sorted(codes))
            self._order = sorted(i for i, portfolio in self.portfolios.items() if portfolio.status != "deleted")
        return self._interest

    def active(self) -> tuple[str, ...]:
        """Ids of the portfolios that are not deleted, sorted."""
        self.interest()
        return tuple(self._order)

    def price(self, code: str) -> int:
        """The last price of a code, units (0: none was seen)."""
        return self._market.windows.price(code)

    def view(self, portfolio_id: str) -> View:
        """A portfolio as people see it. Raises KeyError for an unknown id."""
        return view(self._market, self.portfolios[portfolio_id])

    def view_of(self, value: bytes) -> View:
        """A durable value of a portfolio of this slot as people see it, at the last prices."""
        return view(self._market, msgspec.msgpack.decode(value, type=Portfolio))

    # ---- inside ----

    def _add(self, portfolio: Portfolio) -> None:
        try:
            kit = build(portfolio.config, self._registry)
            self._market.windows.want_all(kit.needs)
            self._kits[portfolio.portfolio_id] = kit
        except BadConfig as error:
            self._kits[portfolio.portfolio_id] = error
        self.portfolios[portfolio.portfolio_id] = portfolio
        self._interest = None

    def _reload(self, portfolio: Portfolio, command: Command, changes: Changes) -> None:
        """Another config, between two events. The windows keep what they have, and go as deep as it needs from now on. Raises Refused."""
        kit = reload.take(portfolio, self._kits[portfolio.portfolio_id], self._registry, command, changes)
        self._kits[portfolio.portfolio_id] = kit
        self._market.windows.want_all(kit.needs)
        reload.done(self._market.windows, portfolio, kit, command, changes)

    def _rows(self, codes: tuple[str, ...]) -> tuple[NDArray[np.intp], NDArray[np.bool_] | None]:
        """The row of each code, -1 where nobody wants it; and where it is wanted, None for everywhere."""
        windows = self._market.windows
        if self._seen_rows is not None and self._seen_rows[0] is codes:
            return self._seen_rows[1], None
        rows = [windows.index.get(code, -1) for code in codes]
        if -1 in rows:
            wanted = self._wanted
            rows = [
                windows.row(code) if row < 0 and (wanted is None or code in wanted) else row for code, row in zip(codes, rows, strict=True)
            ]
        found = np.array(rows, np.intp)
        if -1 in rows:
            return found, found >= 0
        self._seen_rows = (codes, found)  # so they stay: a backtest has the same codes at every moment
        return found, None

    def _correct(self, portfolio: Portfolio, of: int, changes: Changes) -> None:
        """Something of a day came behind the clock that ended it: until the next session its row follows."""
        if of < portfolio.day and self._market.windows.newest < self._market.profile.session_open_ts(portfolio.day):
            day.correct(self._market, portfolio, of, changes)

    def _see(self, portfolio_id: str, batch: Batch, quoted: int, changes: Changes) -> None:
        portfolio, kit = self.portfolios[portfolio_id], self._kits[portfolio_id]
        self._correct(portfolio, quoted, changes)
        if portfolio.status != "running":
            return
        if isinstance(kit, BadConfig):
            fail(portfolio, self._market.windows.newest, f"its config can no longer be built: {kit}", changes)
        elif trade(self._market, portfolio, kit, batch, changes):
            self._touched.add(portfolio_id)

    def _settle(self, ids: list[str], today: int, ts: int, changes: Changes) -> None:
        for portfolio_id in ids:
            if self.portfolios[portfolio_id].day < today:
                day.settle(self._market, self.portfolios[portfolio_id], today, ts, changes)

    def _refuse(self, refusals: list[admission.Refusal], changes: Changes) -> None:
        for refusal in refusals:
            self.refused[refusal.reason] = self.refused.get(refusal.reason, 0) + 1
            alert = refusal.alert()
            if alert is not None:
                changes.alerts.append(alert)

    def _done(self, changes: Changes) -> Changes:
        self._touched.update(changes.dirty)
        return changes


def _parts(profile: Profile, rows: NDArray[np.intp], ts: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """The places of rows in parts, in order: of one trading day each, and each row at most once."""
    everything = np.arange(len(rows))
    if profile.trading_day(int(ts.min())) == profile.trading_day(int(ts.max())):
        return _each_code_once(rows, everything)
    days = np.array([profile.trading_day(at) for at in ts.tolist()], np.int64)
    return [part for day_ in np.unique(days) for part in _each_code_once(rows, everything[days == day_])]


def _each_code_once(rows: NDArray[np.intp], places: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The places in parts, in order, in each of which a row stands once."""
    if np.bincount(rows[places]).max() == 1:
        return [places]
    seen: dict[int, int] = {}
    turns = np.empty(len(places), np.int64)
    for i, row in enumerate(rows[places].tolist()):
        turns[i] = seen[row] = seen.get(row, -1) + 1
    return [places[turns == turn] for turn in range(int(turns.max()) + 1)]
