"""What an owner sees of a portfolio: its row and its newest snapshot, together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ginkgo_streams.messages import PositionView, Snapshot
from ginkgo_streams.storage.models import Portfolio
from ginkgo_streams.storage.portfolios import PortfolioStore
from ginkgo_streams.storage.snapshots import newest_snapshot, newest_snapshots


class UnknownPortfolio(LookupError):
    """There is no portfolio of this id."""

    def __init__(self, portfolio_id: str) -> None:
        super().__init__(f"there is no portfolio {portfolio_id!r}; `ginkgo portfolio list` shows those there are")


class PortfolioStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A portfolio in short. Money in CNY. node_id: "" until a node has it. updated_at: RFC 3339, of the newest snapshot (event time),
    or of the row where there is none. error: why its status is error."""

    portfolio_id: str
    name: str
    user_id: str
    status: str
    initial_cash: Decimal
    cash: Decimal
    total_value: Decimal
    position_count: int
    orders: int
    fills: int
    node_id: str
    version: int
    updated_at: str
    error: str


def portfolio_row(store: PortfolioStore, portfolio_id: str) -> Portfolio:
    """The row of a portfolio. Raises UnknownPortfolio, StorageDown."""
    row = store.get(portfolio_id)
    if row is None:
        raise UnknownPortfolio(portfolio_id)
    return row


def status_of(row: Portfolio, snapshot: Snapshot | None) -> PortfolioStatus:
    """A row and its newest snapshot in short."""
    if snapshot is None:
        return PortfolioStatus(
            portfolio_id=row.uuid, name=row.name, user_id=row.user_id, status=row.status, initial_cash=row.initial_cash,
            cash=row.current_cash, total_value=row.current_cash, position_count=0, orders=0, fills=0, node_id="", version=row.version,
            updated_at=_text(row), error="",
        )  # fmt: skip
    return PortfolioStatus(
        portfolio_id=row.uuid, name=row.name, user_id=row.user_id, status=snapshot.status, initial_cash=row.initial_cash,
        cash=Decimal(str(snapshot.cash)), total_value=Decimal(str(snapshot.total_value)), position_count=len(snapshot.positions),
        orders=snapshot.orders, fills=snapshot.fills, node_id=snapshot.node_id, version=row.version, updated_at=snapshot.updated_at,
        error=snapshot.error,
    )  # fmt: skip


def portfolio_status(store: PortfolioStore, portfolio_id: str) -> PortfolioStatus:
    """A portfolio in short. Raises UnknownPortfolio, StorageDown."""
    return status_of(portfolio_row(store, portfolio_id), newest_snapshot(store.engine, portfolio_id))


def portfolio_statuses(store: PortfolioStore, *, user_id: str | None = None, status: str | None = None) -> list[PortfolioStatus]:
    """All portfolios in short, the oldest first; of one user, in one status. Raises StorageDown."""
    rows = store.list(user_id=user_id, status=status)
    states = newest_snapshots(store.engine)
    return [status_of(row, states.get(row.uuid)) for row in rows]


def portfolio_positions(store: PortfolioStore, portfolio_id: str) -> list[PositionView]:
    """A portfolio's positions, by code. Raises UnknownPortfolio, StorageDown."""
    portfolio_row(store, portfolio_id)
    snapshot = newest_snapshot(store.engine, portfolio_id)
    return sorted(snapshot.positions, key=lambda position: position.code) if snapshot else []


def portfolio_details(store: PortfolioStore, portfolio_id: str) -> tuple[PortfolioStatus, dict[str, Any], Snapshot | None]:
    """A portfolio in short, its config, and its newest snapshot whole. Raises UnknownPortfolio, StorageDown."""
    row = portfolio_row(store, portfolio_id)
    snapshot = newest_snapshot(store.engine, portfolio_id)
    return status_of(row, snapshot), row.config, snapshot


def _text(row: Portfolio) -> str:
    return row.updated_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
