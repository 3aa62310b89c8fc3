"""CNY as people write it, to and from integers of 0.0001 CNY."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from ginkgo_streams.domain.events import UNIT


def parse_cny(value: object) -> int:
    """A JSON number or a decimal string of CNY as units. Raises ValueError that says what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f'{value!r} is no amount of CNY; give a number such as 100000 or a string such as "100000.00"')
    try:
        scaled = Decimal(str(value)) * UNIT
        whole = int(scaled)
    except (InvalidOperation, OverflowError, ValueError):
        raise ValueError(f"{value!r} is no amount of CNY; give a number such as 100000") from None
    if whole != scaled:
        raise ValueError(f"{value!r} CNY has more than four decimals; round it to 0.0001")
    return whole


def cny(units: int) -> str:
    """Units as CNY with two decimals, half up: "89500.00"; four where the cent has parts of its own is the view's business."""
    cents = (abs(units) + 50) // 100
    return f"{'-' if units < 0 and cents else ''}{cents // 100}.{cents % 100:02d}"
