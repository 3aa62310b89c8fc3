"""What an audit finds: differences, each with portfolio, code and amount, and counts."""

from __future__ import annotations

import msgspec

Figure = int | float
"""Shares or counts, or CNY with at most four decimals."""


class Difference(msgspec.Struct, kw_only=True, frozen=True):
    """One thing that does not agree. expected: by the exchange's record; found: with the portfolio (or in the record
    that breaks the rule); amount: found less expected, in `unit`. code is "" where it concerns the whole portfolio."""

    portfolio_id: str
    code: str
    kind: str
    expected: Figure
    found: Figure
    amount: Figure
    unit: str
    text: str


class AuditReport(msgspec.Struct, kw_only=True, frozen=True):
    """ok: no differences. orders, fills: those that count, once each. pending: orders the exchange has said nothing of;
    open: those it has and that have not ended. duplicates, fenced, unreadable: records without effect, as they should be."""

    ok: bool
    orders: int
    fills: int
    portfolios: int
    pending: int
    open: int
    duplicates: int
    fenced: int
    unreadable: int
    differences: list[Difference]


def money(units: int) -> Figure:
    """Integers of 0.0001 CNY as CNY."""
    return units // 10_000 if units % 10_000 == 0 else units / 10_000


def difference(portfolio_id: str, code: str, kind: str, expected: int, found: int, unit: str, what: str) -> Difference:
    """A difference of two figures; CNY ones are given in units of 0.0001 CNY."""
    if unit == "CNY":
        shown: tuple[Figure, Figure, Figure] = (money(expected), money(found), money(found - expected))
        words = [f"{value / 10_000:,.4f}" for value in (expected, found)] + [f"{(found - expected) / 10_000:+,.4f}"]
    else:
        shown = (expected, found, found - expected)
        words = [f"{expected:,}", f"{found:,}", f"{found - expected:+,}"]
    place = f"portfolio {portfolio_id}" + (f" {code}" if code else "")
    text = f"{place}: {what}: expected {words[0]}, found {words[1]}, difference {words[2]} {unit}"
    return Difference(
        portfolio_id=portfolio_id, code=code, kind=kind, expected=shown[0], found=shown[1], amount=shown[2], unit=unit, text=text
    )
