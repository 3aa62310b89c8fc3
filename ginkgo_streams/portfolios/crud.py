"""Portfolios from Python: what `services.trading.cruds.portfolio()` gives."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from ginkgo_streams.config import Settings
from ginkgo_streams.messages import PositionView
from ginkgo_streams.portfolios.create import InvalidPortfolio, NewPortfolio, create_portfolio
from ginkgo_streams.portfolios.read import portfolio_positions, portfolio_status
from ginkgo_streams.portfolios.records import MPortfolio, MPosition
from ginkgo_streams.portfolios.store import open_store


class PortfolioCrud:
    """Creates portfolios and reads their state. Not bound to a process: the cluster runs them."""

    def __init__(self, settings: Settings) -> None:
        """Raises StorageDown."""
        self._settings = settings
        self._store = open_store(settings)

    def add_portfolio(self, portfolio: MPortfolio) -> str:
        """Creates a portfolio, which starts when a node is up, and returns its id (also in `portfolio.uuid`).

        Raises InvalidPortfolio (with everything that is wrong), DuplicateName, StorageDown, NoBrokers, TopicMismatch, SendFailed.
        """
        if portfolio.status != "created":
            raise InvalidPortfolio([f"status is {portfolio.status!r}: expected 'created'"])
        try:
            cash = Decimal(str(portfolio.initial_cash))
        except InvalidOperation:
            raise InvalidPortfolio([f"initial_cash is {portfolio.initial_cash!r}: expected a number"]) from None
        new = NewPortfolio(portfolio.name, portfolio.user_id, cash, portfolio.config)
        portfolio.uuid = create_portfolio(self._settings, self._store, new)
        return portfolio.uuid

    def get_portfolio_status(self, portfolio_id: str) -> dict[str, Any]:
        """portfolio_id, name, status, cash and total_value (Decimal, CNY), position_count, node_id, updated_at (RFC 3339), error.

        Raises UnknownPortfolio, StorageDown.
        """
        status = portfolio_status(self._store, portfolio_id)
        names = ("portfolio_id", "name", "status", "cash", "total_value", "position_count", "node_id", "updated_at", "error")
        return {name: getattr(status, name) for name in names}

    def get_portfolio_positions(self, portfolio_id: str) -> list[MPosition]:
        """The positions by code. Raises UnknownPortfolio, StorageDown."""
        return [position_record(view) for view in portfolio_positions(self._store, portfolio_id)]


def position_record(view: PositionView) -> MPosition:
    """A position as people read it."""
    cost = Decimal(str(view.cost_price)) * view.volume
    return MPosition(
        code=view.code, direction="LONG" if view.direction > 0 else "SHORT", volume=view.volume, available_volume=view.available_volume,
        cost_price=Decimal(str(view.cost_price)), current_price=Decimal(str(view.current_price)),
        market_value=Decimal(str(view.market_value)), profit_loss=Decimal(str(view.profit_loss)),
        profit_loss_ratio=round(float(Decimal(str(view.profit_loss)) / cost), 6) if cost else 0.0,
    )  # fmt: skip
