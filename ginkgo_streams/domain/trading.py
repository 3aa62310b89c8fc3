"""From prices to orders: steps 2 to 9 of the trading rules, for one portfolio and one batch of updates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from ginkgo_streams.domain import memos, notes
from ginkgo_streams.domain import windows as w
from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.batch import Batch
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.component import Held, Restating, Signal
from ginkgo_streams.domain.config import Kit
from ginkgo_streams.domain.events import BUY, SELL, CorporateAction
from ginkgo_streams.domain.guard import ComponentFailed, guarded
from ginkgo_streams.domain.ledger import Position
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.marketview import Market
from ginkgo_streams.domain.money import cny
from ginkgo_streams.domain.ordering import make_order
from ginkgo_streams.domain.overdue import silent_since
from ginkgo_streams.domain.portfolio import Portfolio, fail
from ginkgo_streams.domain.resolve import Named, resolve
from ginkgo_streams.domain.selection import watched_codes
from ginkgo_streams.domain.windows import Windows

NAMED = 3
"""Codes that an error names."""


def trade(market: Market, portfolio: Portfolio, kit: Kit, batch: Batch, changes: Changes) -> bool:
    """Let a running portfolio see a batch (its watched and held codes, each once). Whether anything of its value changed."""
    now = market.windows.newest
    ts = int(batch.ts.max())
    profile = market.profile
    account = Account(portfolio, market.windows, profile, profile.order_day(ts), ts, profile.trading_day(ts), kit.codes)
    if profile.short_selling and (left := account.total_value()) <= 0:
        fail(portfolio, now, f"its shorts have lost all it had: the total value is {cny(left)}", changes)
        return True
    touched = False
    try:
        signals = _watched(market, portfolio, kit, account) + _forced(market, portfolio, kit, batch)
        touched = bool(portfolio.risk_state)
        signals += _audible(market, batch, _wanted(market, portfolio, kit, batch, account), portfolio)
        touched = touched or bool(portfolio.strategy_state) or portfolio.selected_day == account.today
        if not signals:
            return touched
        touched = True

        def update(code: str) -> tuple[int, int]:
            place = batch.place.get(code)
            return (int(batch.ts.max()), 0) if place is None else (int(batch.ts[place]), int(batch.interval[place]))

        def drop(signal: Signal, reason: str) -> None:
            portfolio.drop(reason)
            changes.notes.append(notes.signal_dropped(portfolio.portfolio_id, signal, reason))

        for signal, name, forced in resolve(portfolio, kit, signals, now, update, drop):
            make_order(market, portfolio, kit, signal, name, forced, changes)
    except ComponentFailed as error:
        touched = True
        changes.failures.append(error)
        fail(portfolio, now, f"{error}, at the update of {_said(batch, ts)}", changes)
    return touched


def restate(portfolio: Portfolio, kit: Kit, action: CorporateAction, now: int, changes: Changes) -> None:
    """Let risk managers bring what they remember of a position to the ex-date of its code."""
    try:
        for key, name, risk in kit.forcing:
            if isinstance(risk, Restating) and (memo := memos.recall(portfolio, key, action.code)):
                guarded(name, risk.restate, memo, action)
                memos.keep(portfolio, key, memo, action.code)
    except ComponentFailed as error:
        changes.failures.append(error)
        fail(portfolio, now, f"{error}, at the corporate action of {action.code}", changes)


def _said(batch: Batch, ts: int) -> str:
    """The codes and the time of a batch, for an error."""
    more = f" and {len(batch) - NAMED} more" if len(batch) > NAMED else ""
    return f"{', '.join(batch.codes[:NAMED])}{more} of {datetime.fromtimestamp(ts / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _audible(market: Market, batch: Batch, signals: list[Named], portfolio: Portfolio) -> list[Named]:
    """The signals of the strategy without those of codes that are silent: their last price is of another time. Of ticks; bars of the
    same time may come one after the other."""
    others = {signal.code for signal, _, _ in signals} - batch.place.keys()
    if not others or int(batch.interval.max()):
        return signals
    since, meta = silent_since(market.profile, int(batch.ts.max()), 0), market.windows.meta
    silent = {code for code in others if meta[w.TS, market.windows.index[code]] < since}
    for signal, _, _ in signals:
        if signal.code in silent:
            portfolio.drop("silent")
    return [named for named in signals if named[0].code not in silent]


def _watched(market: Market, portfolio: Portfolio, kit: Kit, account: Account) -> list[Named]:
    """Step 3, for the portfolio as a whole."""
    found: list[Named] = []
    for key, name, risk in kit.watching:
        memo = memos.recall(portfolio, key)
        signals = guarded(name, _all, risk.watch, account, memo)
        memos.keep(portfolio, key, memo)
        found += [_forcing(portfolio, _valid(signal, name, market.windows), name) for signal in signals if account.available(signal.code)]
    return found


def _forced(market: Market, portfolio: Portfolio, kit: Kit, batch: Batch) -> list[Named]:
    """Step 3: what the risk managers force, code by code; the first in the chain to force a code has it."""
    found: list[Named] = []
    if not kit.forcing or not portfolio.ledger.positions:
        return found
    for code, position in portfolio.ledger.positions.items():
        place = batch.place.get(code)
        if place is None:
            continue
        held = held_at(market.profile, code, position, int(batch.price[place]), int(batch.ts[place]))
        if held.available <= 0:
            continue
        for key, name, risk in kit.forcing:
            memo = memos.recall(portfolio, key, code)
            signal = guarded(name, risk.force, held, memo)
            memos.keep(portfolio, key, memo, code)
            if signal is not None:
                found.append(_forcing(portfolio, _valid(signal, name, market.windows), name))
                break
    return found


def _forcing(portfolio: Portfolio, signal: Signal, name: str) -> Named:
    """A forced signal: it closes, so that of a short it is a buy."""
    position = portfolio.ledger.positions.get(signal.code)
    return (structs.replace(signal, direction=BUY) if position is not None and position.short else signal), name, True


def held_at(profile: Profile, code: str, position: Position, price: int, ts: int) -> Held:
    """A position at a price (units) of ts (ms)."""
    available = position.available(profile.order_day(ts), profile.t_plus_one)
    days = profile.trading_days_between(position.opened_day or position.bought_day, profile.trading_day(ts))
    return Held(code, -position.volume if position.short else position.volume, available, position.cost, price, ts, days)


def _wanted(market: Market, portfolio: Portfolio, kit: Kit, batch: Batch, account: Account) -> list[Named]:
    """Step 4: the strategy, for the codes it watches."""
    codes = watched_codes(portfolio, kit, account)
    watched = batch.at(kit.interval)
    if not len(watched):
        return []
    if codes is not None:
        mask = market.windows.mask(codes)[watched.rows]
        if not mask.any():
            return []
        watched = watched if mask.all() else watched.select(mask)
    if kit.select is not None:
        account = Account(portfolio, market.windows, market.profile, account.day, account.ts, account.today, codes)
    name = kit.strategy_name
    signals = guarded(name, _all, kit.strategy.signals, watched, account, portfolio.strategy_state)
    found = [(_valid(signal, name, market.windows), name, False) for signal in signals]
    if kit.select is None:
        return found
    chosen = [each for each in found if each[0].code in portfolio.selected or not account.opens(each[0].code, each[0].direction)]
    for _ in range(len(found) - len(chosen)):
        portfolio.drop("not_selected")
    return chosen


def _all(call: Callable[..., Iterable[Signal]], *arguments: Any) -> list[Signal]:
    """All signals of a call, which may be a generator: inside of the guard."""
    return list(call(*arguments))


def _valid(signal: object, name: str, windows: Windows) -> Signal:
    """The signal. Raises ComponentFailed where it makes no sense."""
    if not isinstance(signal, Signal):
        raise ComponentFailed(f"{name} gave {type(signal).__name__} where a Signal was due")
    row = windows.index.get(signal.code)
    if row is None or windows.meta[w.PRICE, row] == 0:
        raise ComponentFailed(f"{name} gave a signal for {signal.code!r}, which has no price")
    if signal.direction not in (BUY, SELL) or signal.volume < 0 or signal.ts <= 0:
        raise ComponentFailed(f"{name} gave a signal with direction {signal.direction}, volume {signal.volume}, ts {signal.ts}")
    return signal
