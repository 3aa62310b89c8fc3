"""What the demo says at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from ginkgo_streams.audit.report import AuditReport


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """From a price's record in market.data to its order's in orders.submission, in ms; orders of failovers included."""

    orders: int
    p50_ms: float
    p99_ms: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The demo in figures. ok: the audit found the books in agreement and no process is left.

    seconds: of trading, the start not counted. first_order_s: from the end of downloads to the first order; None without one.
    memory_mb: the most that all processes together ever had resident, in 2**20 bytes. restarts: of processes that died, by name.
    in_error: portfolios that are in error, by name. left: processes that had to be killed in the end.
    """

    ok: bool
    orders: int
    fills: int
    portfolios: int
    seconds: float
    first_order_s: float | None
    ticks: int
    latency: Latency | None
    memory_mb: float
    restarts: dict[str, int]
    in_error: dict[str, str]
    left: list[str]
    audit: AuditReport


def latency_of(milliseconds: Sequence[float]) -> Latency | None:
    """The distribution; None of nothing. Quantiles are nearest-rank: a value that was measured."""
    if not milliseconds:
        return None
    ordered = sorted(milliseconds)

    def quantile(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    return Latency(orders=len(ordered), p50_ms=quantile(0.5), p99_ms=quantile(0.99))


def text(summary: Summary) -> list[str]:
    """Lines for people."""
    audit = summary.audit
    books = "the books agree" if audit.ok else "THE BOOKS DIFFER"
    lines = [
        f"{summary.portfolios} portfolios, {summary.orders} orders ({audit.pending} unanswered, {audit.open} open), {summary.fills} fills",
        f"Audit: {len(audit.differences)} differences between exchange and portfolios, {books}",
        *(f"  {each.text}" for each in audit.differences),
    ]
    if summary.latency is not None:
        lines.append(f"Price to order: p50 {summary.latency.p50_ms:.0f} ms, p99 {summary.latency.p99_ms:.0f} ms")
    first = f", first order {summary.first_order_s:.0f} s after the start" if summary.first_order_s is not None else ""
    rate = summary.ticks / summary.seconds if summary.seconds else 0.0
    lines.append(f"{summary.ticks:,} price updates in {summary.seconds:.0f} s ({rate:,.0f} a second){first}")
    lines.append(f"Memory of all processes: {summary.memory_mb:.0f} MB at most")
    lines += [f"{name} died and was started again {count} times" for name, count in summary.restarts.items()]
    lines += [f"Portfolio {name} is in error: {reason}" for name, reason in summary.in_error.items()]
    return lines + [f"{name} was still running and was killed" for name in summary.left]
