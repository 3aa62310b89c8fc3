"""How the command line prints: the quickstart's words for people, JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ginkgo_streams.portfolios.read import PortfolioStatus
    from ginkgo_streams.portfolios.records import MPosition


def show_json(value: Any) -> None:
    """One line of JSON on standard output; Decimals are numbers."""
    import msgspec

    typer.echo(msgspec.json.Encoder(decimal_format="number").encode(value).decode())


def cny(value: Decimal, *, sign: bool = False) -> str:
    """CNY with two decimals, as people read it; the exact amount is in the JSON."""
    rounded = value.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{rounded:+f}" if sign else f"{rounded:f}"


def moment(text: str) -> str:
    """RFC 3339 as "2026-01-04 10:00:00", UTC."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def status_lines(status: PortfolioStatus) -> list[str]:
    """`ginkgo portfolio status`."""
    lines = [
        f"Portfolio: {status.portfolio_id}",
        f"Name: {status.name}",
        f"Status: {status.status}",
        f"Cash: {cny(status.cash)}",
        f"Total Value: {cny(status.total_value)}",
        f"Position Count: {status.position_count}",
        f"Node: {status.node_id or '-'}",
        f"Last Update: {moment(status.updated_at)}",
    ]
    return [*lines, f"Error: {status.error}"] if status.error else lines


def position_lines(positions: Sequence[MPosition]) -> list[str]:
    """`ginkgo portfolio positions`."""
    return ["Positions:", *(_position_line(position) for position in positions), *([] if positions else ["(none)"])]


def _position_line(p: MPosition) -> str:
    prices = f"@ {cny(p.cost_price)}, current {cny(p.current_price)}, P/L {cny(p.profit_loss, sign=True)}"
    return f"- {p.code}: {p.direction} {p.volume} shares {prices}"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under a header, two spaces apart: never cut, so that ids can be copied and lines be cut by other programs."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [header, *rows]]
