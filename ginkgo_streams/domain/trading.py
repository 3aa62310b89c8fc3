"""From prices to orders: steps 2 to 9 of the trading rules, for one portfolio and one batch of updates."""

from __future__ import annotations

from collections.abc import Iterable

from ginkgo_streams.domain import notes
from ginkgo_streams.domain import windows as w
from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.batch import Batch
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.component import Held, Signal
from ginkgo_streams.domain.config import Kit
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.guard import ComponentFailed, guarded
from ginkgo_streams.domain.marketview import Market
from ginkgo_streams.domain.ordering import make_order
from ginkgo_streams.domain.portfolio import Portfolio, fail
from ginkgo_streams.domain.resolve import Named, resolve
from ginkgo_streams.domain.windows import Windows


def trade(market: Market, portfolio: Portfolio, kit: Kit, batch: Batch, changes: Changes) -> bool:
    """Let a running portfolio see a batch (its watched and held codes, each once). Whether anything of its value changed."""
    now = market.windows.newest
    account = Account(portfolio, market.windows, market.profile, market.profile.order_day(int(batch.ts.max())))
    touched = False
    try:
        signals = _forced(market, portfolio, kit, batch)
        touched = bool(portfolio.risk_state)
        signals += _wanted(market, portfolio, kit, batch, account)
        touched = touched or bool(portfolio.strategy_state)
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
        fail(portfolio, now, str(error), changes)
    return touched


def _forced(market: Market, portfolio: Portfolio, kit: Kit, batch: Batch) -> list[Named]:
    """Step 3: what the risk managers force, code by code; the first in the chain to force a code has it."""
    found: list[Named] = []
    if not kit.risks or not portfolio.ledger.positions:
        return found
    for code, position in portfolio.ledger.positions.items():
        place = batch.place.get(code)
        if place is None:
            continue
        ts = int(batch.ts[place])
        available = position.available(market.profile.order_day(ts), market.profile.t_plus_one)
        if available <= 0:
            continue
        held = Held(code, position.volume, available, position.cost, int(batch.price[place]), ts)
        for key, name, risk in kit.risks:
            memo = portfolio.risk_state.get(key, {}).get(code, {})
            signal = guarded(name, risk.force, held, memo)
            if memo:
                portfolio.risk_state.setdefault(key, {})[code] = memo
            if signal is not None:
                found.append((_valid(signal, name, market.windows), name, True))
                break
    return found


def _wanted(market: Market, portfolio: Portfolio, kit: Kit, batch: Batch, account: Account) -> list[Named]:
    """Step 4: the strategy, for the codes it watches."""
    watched = batch
    if kit.codes is not None:
        mask = market.windows.mask(kit.codes)[batch.rows]
        if not mask.any():
            return []
        watched = batch if mask.all() else batch.select(mask)
    name = kit.strategy_name
    signals: Iterable[Signal] = guarded(name, lambda: list(kit.strategy.signals(watched, account, portfolio.strategy_state)))
    return [(_valid(signal, name, market.windows), name, False) for signal in signals]


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
