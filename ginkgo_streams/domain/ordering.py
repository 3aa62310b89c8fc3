"""From a signal to an order: size, risk chain, afford, freeze, emit (steps 6 to 9 of the trading rules)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ginkgo_streams.domain import ids, ledger, memos, notes, pricing
from ginkgo_streams.domain import windows as w
from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.component import Proposal, Signal, Verdict
from ginkgo_streams.domain.config import Kit
from ginkgo_streams.domain.events import BUY, SELL, Alert
from ginkgo_streams.domain.guard import ComponentFailed, guarded
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.marketview import Market
from ginkgo_streams.domain.orders import OpenOrder
from ginkgo_streams.domain.portfolio import Portfolio

RESERVE = 100
"""Units of free cash (0.01 CNY) that no buy takes: the fees of many small fills are each rounded up, and may come to some units
more than those of the one fill that was reckoned with."""


def make_order(market: Market, portfolio: Portfolio, kit: Kit, signal: Signal, name: str, forced: bool, changes: Changes) -> None:
    """Turn a signal of component `name` into an order, or count why not. Raises ComponentFailed."""
    day = market.profile.order_day(signal.ts)
    account = Account(portfolio, market.windows, market.profile, day, signal.ts, market.profile.trading_day(signal.ts), kit.codes)

    def drop(reason: str) -> None:
        portfolio.drop(reason)
        changes.notes.append(notes.signal_dropped(portfolio.portfolio_id, signal, reason))

    opens = account.opens(signal.code, signal.direction)
    if not opens and account.available(signal.code) == 0:  # T+1 asks this at every signal of a day
        drop("no_position" if account.volume(signal.code) == 0 else "not_available")
        return
    proposal = _proposal(market, signal, forced, day, opens != (signal.direction == BUY))
    if market.profile.short_selling and proposal.opens and _other_side(portfolio, proposal):
        drop("opposite_order")
        return
    if proposal.opens and (_at_limit := _limit_move(proposal)):
        drop("limit_move")
        changes.alerts.append(_triggered(portfolio, signal, "price limits", f"no position is opened: {_at_limit}"))
        return
    volume, why = _size(market.profile, account, kit, proposal)
    if volume == 0:
        drop(why)
        return
    changes.notes.append(notes.signal_generated(portfolio.portfolio_id, signal, volume))
    volume, blocked_by = _risked(market.profile, portfolio, account, kit, signal, proposal, volume, changes)
    if volume == 0:
        drop(f"risk:{blocked_by}")
        return
    budget = 0
    if proposal.opens and market.profile.market_orders:
        budget, volume = _budget(market.profile, account, kit, proposal, volume, day)
    elif proposal.opens:
        volume = proposal.affordable(account.cash - RESERVE, volume)
    else:
        volume = _lot_down(market.profile, account, proposal, min(volume, account.available(signal.code)))
        if proposal.short:
            budget, volume = _closing_budget(market.profile, account, proposal, volume, day)
    if volume == 0:
        drop("cash" if signal.direction == BUY or proposal.short else "available")
        return
    frozen = budget or _cost(market.profile, proposal, volume, day)
    if frozen > account.cash:  # only a sale comes here with more than there is
        drop("fees")
        return
    _emit(market.profile, portfolio, signal, proposal, volume, budget, frozen, day, name, changes)
    if forced:
        verb = "buys back" if proposal.short else "sells"
        changes.alerts.append(_triggered(portfolio, signal, name, f"{verb} {volume} {signal.code}: {signal.reason}"))


def _proposal(market: Market, signal: Signal, forced: bool, day: int, short: bool) -> Proposal:
    meta, profile, code = market.windows.meta, market.profile, signal.code
    row = market.windows.index[code]
    price, low, high = int(meta[w.PRICE, row]), int(meta[w.LOW, row]), int(meta[w.HIGH, row])
    if day > int(meta[w.DAY, row]):  # an order from the last price of a day is good for the next: its limits follow from that price
        low, high = profile.price_limits(code, price, day) or (0, 0)
    limit = price if profile.market_orders else pricing.limit_price(profile, code, signal.direction, price, low, high, day)

    def affordable(budget: int, most: int) -> int:
        return pricing.affordable(profile, code, limit, day, budget, most)

    return Proposal(code, signal.direction, signal.volume, price, limit, low, high, signal.ts, forced, affordable, short)


def _budget(profile: Profile, account: Account, kit: Kit, proposal: Proposal, volume: int, day: int) -> tuple[int, int]:
    """Of a market order that opens: the cash set aside (units), and the most shares it may become when it fills; (0, 0) where nothing fits.
    Of a short sale it is the collateral: as much as buying the shares would take.

    Where the sizer goes by the price that is filled at (`by_fill_price`), the cash decides: all of it, or the part that the risk chain
    has left. Else the volume does, with cash for an open up to half above the last price.
    """
    cash = account.buying_power
    if proposal.affordable(cash, volume) == 0:
        return 0, 0
    if getattr(kit.sizer, "by_fill_price", False):
        sized = guarded(kit.sizer_name, kit.sizer.volume, proposal, account)
        budget = cash if volume >= sized else cash * volume // sized
        return budget, budget // profile.tick
    return min(cash, pricing.buy_cost(profile, proposal.code, proposal.price * 3 // 2, volume, day)), volume


def _cost(profile: Profile, proposal: Proposal, volume: int, day: int) -> int:
    """Cash that an order without a budget may need. A sale at the market may fill at any price; half of the last one is reckoned with."""
    if proposal.direction == BUY:
        return pricing.buy_cost(profile, proposal.code, proposal.limit, volume, day)
    price = max(proposal.price // 2, 1) if profile.market_orders else proposal.limit
    return pricing.sale_cost(profile, proposal.code, price, volume, day)


def _closing_budget(profile: Profile, account: Account, proposal: Proposal, volume: int, day: int) -> tuple[int, int]:
    """Of a buy that closes a short: the cash set aside for an open up to half above the last price, at most the part of the free cash that
    these shares are of all that are still to be bought back; and the volume. (0, 0) where not even a share can be paid."""
    owed = sum(account.available(code) * account.price(code) for code in account.codes if account.volume(code) < 0)
    budget = min(
        account.cash * volume * proposal.price // owed if owed else 0,
        pricing.buy_cost(profile, proposal.code, proposal.price * 3 // 2, volume, day),
    )
    return (budget, volume) if proposal.affordable(budget, volume) else (0, 0)


def _other_side(portfolio: Portfolio, proposal: Proposal) -> bool:
    """Whether an order that would open the other side of the code, long or short, may still fill: a code is on one side at a time."""
    return any(order.code == proposal.code and order.short != proposal.short for order in portfolio.open_orders.values())


def _limit_move(proposal: Proposal) -> str:
    """Whether the price stands at a limit of its day, where nothing is opened; empty where not."""
    if proposal.high and proposal.price >= proposal.high:
        return f"{proposal.code} is at limit up"
    if proposal.low and proposal.price <= proposal.low:
        return f"{proposal.code} is at limit down"
    return ""


def _size(profile: Profile, account: Account, kit: Kit, proposal: Proposal) -> tuple[int, str]:
    """A volume rounded down to the lot, or 0 and why."""
    code = proposal.code
    if proposal.opens:
        wished = proposal.volume or guarded(kit.sizer_name, kit.sizer.volume, proposal, account)
        if isinstance(wished, bool) or not isinstance(wished, (int, np.integer)) or wished < 0:
            raise ComponentFailed(f"{kit.sizer_name} gave a volume of {wished!r}; it has to be a whole number of shares, 0 or more")
        return _lot_down(profile, account, proposal, int(wished)), "below_lot"
    available = account.available(code)
    return _lot_down(profile, account, proposal, min(proposal.volume or available, available)), "below_lot"


def _lot_down(profile: Profile, account: Account, proposal: Proposal, volume: int) -> int:
    """The largest volume up to `volume` that an order may have: what opens is in lots as a buy is, what closes may end on an odd one."""
    if proposal.opens:
        return profile.lot_down(proposal.code, BUY, volume, 0)
    return profile.lot_down(proposal.code, SELL, volume, abs(account.volume(proposal.code)))


def _risked(
    profile: Profile, portfolio: Portfolio, account: Account, kit: Kit, signal: Signal, sized: Proposal, volume: int, changes: Changes
) -> tuple[int, str]:
    """Every risk manager in configured order; each sees what the one before let through. The volume, or 0 and who blocked it."""
    for key, name, risk in kit.checking:
        proposal = replace(sized, volume=volume)
        memo = memos.recall(portfolio, key)
        verdict = guarded(name, risk.check, proposal, account, memo)
        memos.keep(portfolio, key, memo)
        if not isinstance(verdict, Verdict) or not 0 <= verdict.volume <= volume:
            raise ComponentFailed(f"{name} answered {verdict!r} to an order of {volume}; it has to be a Verdict of 0 to {volume} shares")
        if verdict.volume < volume:
            before, volume = volume, _lot_down(profile, account, sized, verdict.volume)
            did = f"cut {before} to {volume}" if volume else f"blocked {before}"
            changes.alerts.append(_triggered(portfolio, signal, name, f"{did} {signal.code}: {verdict.reason}"))
            if volume == 0:
                return 0, name
    return volume, ""


def _emit(
    profile: Profile, portfolio: Portfolio, signal: Signal, proposal: Proposal, volume: int, budget: int, frozen: int, day: int,
    name: str, changes: Changes,
) -> None:  # fmt: skip
    limit = 0 if profile.market_orders else proposal.limit
    portfolio.order_count += 1
    order = OpenOrder(
        order_id=ids.order_id(portfolio.portfolio_id, portfolio.order_count), code=signal.code, direction=signal.direction, volume=volume,
        limit=limit, ts=signal.ts, reason=f"{name}: {signal.reason}", day=day, budget=budget, short=proposal.short, frozen=frozen,
    )  # fmt: skip
    ledger.freeze(portfolio.ledger, order)
    portfolio.open_orders[order.order_id] = order
    portfolio.updated_at = max(portfolio.updated_at, signal.ts)
    portfolio.check((order.code,))
    changes.mark(portfolio.portfolio_id)
    changes.orders.append(order.submission(portfolio.portfolio_id))
    changes.notes.append(notes.order_submitted(portfolio.portfolio_id, order))


def _triggered(portfolio: Portfolio, signal: Signal, name: str, what: str) -> Alert:
    return Alert(
        alert_id=ids.alert_id("risk_triggered", portfolio.portfolio_id, signal.code, signal.direction, signal.ts, name),
        alert_type="risk_triggered", severity="warning", source=portfolio.portfolio_id, message=f"{name} {what}",
        details={"portfolio_id": portfolio.portfolio_id, "code": signal.code, "direction": signal.direction, "by": name}, ts=signal.ts,
    )  # fmt: skip
