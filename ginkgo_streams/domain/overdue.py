"""What does not come in its time, counted in continuous trading: a fill (the order is cancelled), a price (told, not traded on)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ginkgo_streams.domain import ids
from ginkgo_streams.domain import windows as w
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.commands import ask_cancel
from ginkgo_streams.domain.events import Alert, Note
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.portfolio import Portfolio
from ginkgo_streams.domain.windows import Windows

SILENCE = 300_000
"""ms of continuous trading without a price of a code after which it is silent (scenario 6.7)."""

NAMED = 10
"""Silent codes that an alert names; all of them are counted."""


def cancel_overdue(profile: Profile, portfolio: Portfolio, patience: int, now: int, changes: Changes) -> None:
    """Ask for the cancel of orders of which nothing has filled for `patience` ms of continuous trading (scenario 6.5). now: event time."""
    if not patience or not portfolio.open_orders:
        return
    since = profile.trading_before(now, patience)
    for order in portfolio.open_orders.values():
        if not order.cancel_ts and max(order.ts, order.filled_ts) <= since:
            ask_cancel(portfolio, order.order_id, now, changes)
            text = f"Order overdue: {order.order_id}, nothing filled for {patience / 1000:g} s of trading, cancelling"
            changes.notes.append(Note(portfolio_id=portfolio.portfolio_id, text=text))


def silent_since(profile: Profile, now: int, interval: int) -> int:
    """Codes without a price since before this moment are silent (0: none is). interval: of the bars that come, ms, 0 for ticks."""
    return profile.trading_before(now, SILENCE + interval)


def tell_silence(windows: Windows, profile: Profile, wanted: Collection[str] | None, before: int, now: int, interval: int) -> Alert | None:
    """The alert of the codes that have become silent between two clocks, before and now (ms); None where none has.

    wanted: None for all. A code that never had a price counts as silent when the first minutes of a day are over.
    """
    was, since = silent_since(profile, before, interval), silent_since(profile, now, interval)
    if since <= was:
        return None
    count = len(windows.codes)
    last = windows.meta[w.TS, :count]
    codes = [windows.codes[i] for i in np.flatnonzero((last >= was) & (last < since)).tolist()]
    if wanted is not None:
        codes = [code for code in codes if code in wanted] + [code for code in wanted if was == 0 and code not in windows.index]
    if not codes:
        return None
    codes.sort()
    named = ", ".join(codes[:NAMED]) + (f" and {len(codes) - NAMED} more" if len(codes) > NAMED else "")
    return Alert(
        alert_id=ids.alert_id("data_silent", since, *codes), alert_type="data_silent", severity="warning", source=codes[0],
        message=f"No price for {(SILENCE + interval) // 60_000} minutes of trading: {named}; nothing is traded on what they last were",
        details={"codes": codes[:NAMED], "count": len(codes)}, ts=now,
    )  # fmt: skip
