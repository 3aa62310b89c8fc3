"""What risk managers remember, in the portfolio's value: a dict for each position, and one for the portfolio as a whole."""

from __future__ import annotations

from typing import Any

from ginkgo_streams.domain.portfolio import Portfolio

WHOLE = ""
"""In place of a code: the memo of the portfolio as a whole."""


def recall(portfolio: Portfolio, key: str, code: str = WHOLE) -> dict[str, Any]:
    """The memo of the risk manager `key`; a new one where it has none. What is changed in it counts after `keep`."""
    return portfolio.risk_state.get(key, {}).get(code, {})


def keep(portfolio: Portfolio, key: str, memo: dict[str, Any], code: str = WHOLE) -> None:
    """Keep a memo; an empty one is not."""
    if memo:
        portfolio.risk_state.setdefault(key, {})[code] = memo


def forget_whole(portfolio: Portfolio) -> None:
    """Forget the memos of the portfolio as a whole: a person starts it anew, from how it stands now."""
    for memos in portfolio.risk_state.values():
        memos.pop(WHOLE, None)
    portfolio.risk_state = {key: memos for key, memos in portfolio.risk_state.items() if memos}
