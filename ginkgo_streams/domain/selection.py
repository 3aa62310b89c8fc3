"""The codes that a portfolio watches: those of its config, or what its selector chose for the day."""

from __future__ import annotations

from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.config import Kit
from ginkgo_streams.domain.guard import ComponentFailed, guarded
from ginkgo_streams.domain.portfolio import Portfolio


def watched_codes(portfolio: Portfolio, kit: Kit, account: Account) -> frozenset[str] | None:
    """The codes that the strategy sees, None for all. A selector that chooses does so with the first update of a trading day; what is
    held is watched as well, so that it can be sold. Raises ComponentFailed."""
    select = kit.select
    if select is None:
        return kit.codes
    if portfolio.selected_day < account.today:
        chosen = guarded(kit.selector_name, lambda: list(select(account.universe())))
        if not all(isinstance(code, str) for code in chosen):
            raise ComponentFailed(f"{kit.selector_name} chose {chosen!r}; it has to be codes")
        portfolio.selected = sorted(set(chosen))
        portfolio.selected_day = account.today
    return frozenset([*portfolio.selected, *portfolio.ledger.positions])
