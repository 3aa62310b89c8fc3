"""The records of the Python interface. Standard library only: users' scripts import them before anything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


@dataclass(kw_only=True)
class MPortfolio:
    """A portfolio to be created. initial_cash: CNY, at most 4 decimals. config: as in the quickstart.

    status: "created" is the only one that a new portfolio can have. uuid: given by `add_portfolio`.
    """

    name: str
    user_id: str
    initial_cash: Decimal | float | int | str
    config: dict[str, Any] = field(default_factory=dict)
    status: str = "created"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    uuid: str = ""


@dataclass(frozen=True, kw_only=True)
class MPosition:
    """A position. direction: "LONG" or "SHORT"; volumes in shares; prices and money in CNY; profit_loss_ratio: of the cost."""

    code: str
    direction: str
    volume: int
    available_volume: int
    cost_price: Decimal
    current_price: Decimal
    market_value: Decimal
    profit_loss: Decimal
    profit_loss_ratio: float
