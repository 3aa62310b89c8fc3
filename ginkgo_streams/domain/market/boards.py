"""The boards of the A-share market, told from a code."""

from __future__ import annotations

from typing import Literal

Board = Literal["main", "chinext", "star", "bse"]


def board(code: str) -> Board:
    """The board of a code such as "000001.SZ": BSE by its suffix, STAR 688 and 689, ChiNext 300 to 309, the main board else.

    Source: code ranges of SSE, SZSE and BSE as of 2026-11. ChiNext has 300, 301 and 302 in use; 689 is STAR's receipts (CDR).
    """
    if code.endswith(".BJ"):
        return "bse"
    if code.startswith(("688", "689")):
        return "star"
    if code.startswith("30") and code.endswith(".SZ"):
        return "chinext"
    return "main"
