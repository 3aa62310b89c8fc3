"""The line from the exchange to its members, which may fail: what it holds back is given later. For tests of every path.

Nothing of it has to be kept: after a recovery all reports of all orders are given again (`Exchange.reports`).
"""

from __future__ import annotations

from hashlib import blake2b

from ginkgo_streams.domain.events import Report

AWAY_MS = 10_000
"""Event time for which the line of an order is away."""


def chosen(seed: int, name: str, per_million: int) -> bool:
    """Whether chance hits a name: by it alone, so that it does not depend on what else happens."""
    if per_million == 0:
        return False
    digest = blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 1_000_000 < per_million


class Line:
    """Holds back a report that chance hits, and all of its order behind it, until the line is back."""

    def __init__(self, seed: int, per_million: int) -> None:
        self._seed, self._rate = seed, per_million
        self._held: dict[str, tuple[int, list[Report]]] = {}  # by order: when the line is back (ms), and what waits for it

    def carry(self, reports: list[Report]) -> list[Report]:
        """Those that get through now."""
        if not self._rate:
            return reports
        through = []
        for report in reports:
            if (held := self._held.get(report.order_id)) is not None:
                held[1].append(report)
            elif chosen(self._seed, f"line/{report.order_id}/{report.report_seq}", self._rate):
                self._held[report.order_id] = (report.ts + AWAY_MS, [report])
            else:
                through.append(report)
        return through

    def back(self, now: int) -> list[Report]:
        """What waited for lines that are back at `now` (ms), order by order."""
        due = [order_id for order_id, (at, _) in self._held.items() if at <= now]
        return [report for order_id in due for report in self._held.pop(order_id)[1]]

    def reset(self) -> None:
        """All is given again: nothing waits."""
        self._held.clear()
