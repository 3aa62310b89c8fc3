"""The demo on the screen: a live table on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ginkgo_streams.local.state import Member
from ginkgo_streams.messages import Snapshot

_SHANGHAI = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class View:
    """One moment of the demo. seconds: since trading began; market_time: RFC 3339, "" before; latency_ms: portfolio id to that of
    its last order; last_ms: that of the last of all, None before; memory_mb: of all; by_pid: of each process, MB."""

    seconds: float
    market_time: str
    ticks_per_second: float
    snapshots: Sequence[Snapshot]
    latency_ms: Mapping[str, float]
    last_ms: float | None
    members: Sequence[Member]
    memory_mb: float
    by_pid: Mapping[int, float]


def tables(view: View) -> Group:
    """The live display."""
    footer = f"{view.seconds:.0f} s  {view.ticks_per_second:,.0f} ticks/s  {view.memory_mb:,.0f} MB  Ctrl+C drains, audits and ends"
    return Group(_portfolios(view), _processes(view), Text(footer))


def line(view: View) -> str:
    """The same in one line."""
    running = sum(snapshot.status == "running" for snapshot in view.snapshots)
    orders, fills = sum(s.orders for s in view.snapshots), sum(s.fills for s in view.snapshots)
    value = sum(s.total_value for s in view.snapshots)
    newest = "-" if view.last_ms is None else f"{view.last_ms:.0f} ms"
    down = [f"{m.name} {m.status}" for m in view.members if m.status != "running"]
    words = [
        f"{view.seconds:.0f} s", f"market {_market(view.market_time)}", f"{view.ticks_per_second:,.0f} ticks/s",
        f"{running} of {len(view.snapshots)} portfolios running", f"{orders} orders", f"{fills} fills", f"value {value:,.2f}",
        f"price to order {newest}", f"{view.memory_mb:,.0f} MB", *down,
    ]  # fmt: skip
    return ", ".join(words)


def _portfolios(view: View) -> Table:
    table = Table(
        title=f"Portfolios, market time {_market(view.market_time)}", title_justify="left",
        caption="price to order: from the last order's price in market.data to the order in orders.submission", caption_justify="left",
    )  # fmt: skip
    for name in ("portfolio", "node", "status"):
        table.add_column(name)
    for name in ("cash", "value", "positions", "orders", "fills", "price to order"):
        table.add_column(name, justify="right")
    for s in view.snapshots:
        latency = f"{view.latency_ms[s.portfolio_id]:.0f} ms" if s.portfolio_id in view.latency_ms else "-"
        cash, value = f"{s.cash + s.frozen:,.2f}", f"{s.total_value:,.2f}"
        table.add_row(s.name, s.node_id, s.status, cash, value, str(len(s.positions)), str(s.orders), str(s.fills), latency)
    return table


def _processes(view: View) -> Table:
    table = Table(title="Processes", title_justify="left")
    for name in ("process", "status"):
        table.add_column(name)
    for name in ("pid", "portfolios", "restarts", "MB"):
        table.add_column(name, justify="right")
    for member in view.members:
        here = sum(s.node_id == member.name for s in view.snapshots)
        status = "starting" if member.status == "running" and not member.ready else member.status
        memory = f"{view.by_pid.get(member.pid, 0):.0f}"
        table.add_row(member.name, status, str(member.pid), str(here) if member.kind == "node" else "", str(member.restarts or ""), memory)
    return table


def _market(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M:%S") if text else "-"
