"""Ids derived from their cause, so that a replay gives the same ones: no random, no clock."""

from __future__ import annotations

from uuid import UUID, uuid5

NAMESPACE = UUID("5f0c4e0e-6d0a-5a55-9d3e-6b1f7a3c2d10")
"""The namespace of all derived ids. Never change it: open orders are known outside by ids made from it."""


def order_id(portfolio_id: str, number: int) -> str:
    """The id of a portfolio's order number 1, 2, 3 …"""
    return str(uuid5(NAMESPACE, f"order/{portfolio_id}/{number}"))


def alert_id(*cause: str | int) -> str:
    """The id of the alert with this cause."""
    return str(uuid5(NAMESPACE, "alert/" + "/".join(map(str, cause))))
