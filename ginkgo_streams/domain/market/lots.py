"""How many shares an order of the A-share market may have, by board.

Shanghai and Shenzhen main board, ChiNext: buys in multiples of 100; of a holding the part under 100 is sold in one order.
STAR: from 200 in steps of 1; BSE: from 100 in steps of 1; a holding under that is sold whole.
Sources: trading rules of SSE and SZSE (revision of 2023-04-10), SSE's special provisions for STAR (2019-07-22), trading rules
of BSE (2021-11-15); the most one order may have is their general figure.
"""

from __future__ import annotations

from ginkgo_streams.domain.events import SELL
from ginkgo_streams.domain.market.boards import board

LOT = 100
MAX_VOLUME = 1_000_000
"""Shares an order may have at most."""

_SMALLEST = {"star": 200, "bse": 100}


def lot_down(code: str, direction: int, volume: int, held: int) -> int:
    """The largest volume of one order that is <= `volume` (for sells also <= `held`), 0 where none is."""
    volume = min(volume, MAX_VOLUME)
    if direction == SELL:
        volume = min(volume, held)
    if volume <= 0:
        return 0
    smallest = _SMALLEST.get(board(code))
    if smallest is not None:
        return volume if volume >= smallest or (direction == SELL and volume == held) else 0
    whole = volume // LOT * LOT
    odd = held % LOT
    if direction != SELL or odd == 0 or volume < odd:
        return whole
    return max(whole, (volume - odd) // LOT * LOT + odd)


def valid_volume(code: str, direction: int, volume: int, held: int | None) -> str | None:
    """Why an order of this volume is refused, or None. `held` None: unknown, then any sell may hold a remainder."""
    if volume <= 0:
        return f"volume {volume} is not positive"
    if volume > MAX_VOLUME:
        return f"volume {volume} is more than {MAX_VOLUME} shares, the most one order may have"
    smallest = _SMALLEST.get(board(code))
    if smallest is not None:
        if volume >= smallest or (direction == SELL and held in (None, volume)):
            return None
        return f"volume {volume} of {code} is under {smallest} shares, the least one order may have there"
    odd = volume % LOT
    if odd == 0 or (direction == SELL and (held is None or odd == held % LOT)):
        return None
    if direction == SELL:
        return f"volume {volume} of {code}: the remainder of {held} shares held that is under a lot is sold in one order"
    return f"volume {volume} of {code} is not a multiple of {LOT}"
