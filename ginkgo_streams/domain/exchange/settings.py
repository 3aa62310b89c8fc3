"""What can be set at the simulated exchange."""

from __future__ import annotations

from math import inf

import msgspec


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the simulated exchange. Rates are rounded to a millionth. Raises ValueError for what is out of range."""

    participation: float = 0.1
    """Of the volume of an update, the part that all orders of the code together may take; inf: whatever they ask for."""

    slippage_rate: float = 0.0
    """How much worse than the market price a market order fills, as a fraction of it."""

    reject_rate: float = 0.0
    """The part of orders refused at random (by seed and order id), so that tests provoke it."""

    disconnect_rate: float = 0.0
    """The part of reports at which the line to an order's sender fails, at random: they come later (see `line`)."""

    seed: int = 0
    """Chooses which orders `reject_rate` hits, and which reports `disconnect_rate`."""

    ack_delay_ms: int = 0
    """Event time from the order's stamp to its acceptance; it cannot be filled before."""

    memory_days: int = 3
    """Trading days for which a closed order is remembered, so that it is answered, not executed, when it comes again."""

    def __post_init__(self) -> None:
        for name in ("participation", "slippage_rate", "reject_rate", "disconnect_rate"):
            value = getattr(self, name)
            if not 0 <= value <= 1 and not (name == "participation" and value == inf):
                raise ValueError(f"{name} is {value}: give a fraction between 0 and 1")
        for name in ("ack_delay_ms", "memory_days"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it cannot be negative")


def per_million(rate: float) -> int:
    """A rate as the integer per million that the arithmetic uses."""
    return round(rate * 1_000_000)
