"""The order gateway of one slot: what counts of the portfolios' orders goes to the broker, by code.

Its only state is the engine's own record of the slot: the newest claim. An order that a crash makes it forward
twice is known to the exchange by its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.engine.reducer import Effects, Key, Output, Record, Stamp
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.topics import SIM_ORDERS

GATEWAY = "gateway"


class GatewaySlot:
    """`engine.reducer.Slot` for the gateway. Table: gateway, without keys of its own."""

    def __init__(self, market_partitions: int) -> None:
        self.market_partitions = market_partitions

    def load(self, table: str, key: str, value: bytes) -> None:
        """Never called: there are no keys."""
        raise AssertionError(f"the gateway keeps no values, found {key}")

    def recovered(self) -> Effects:
        """Nothing: portfolios give their unanswered orders again."""
        return Effects()

    def coalesce(self, messages: list[Any]) -> list[Any]:
        """Each by itself."""
        return messages

    def apply(self, record: Record) -> Effects:
        """Forward an order or a cancel; a claim has done its work in the engine."""
        message = record.message
        if isinstance(message, m.Claim):
            return Effects()

        def encode(stamp: Stamp) -> bytes:
            return m.encode(message)

        return Effects(outputs=[Output(SIM_ORDERS, message.code.encode(), partition_of(message.code, self.market_partitions), encode)])

    def settled(self) -> Effects:
        """Nothing."""
        return Effects()

    def touched(self) -> Sequence[Sequence[Key]]:
        """Nothing."""
        return []

    def encode(self, table: str, key: str) -> bytes:
        """Never called."""
        raise AssertionError(f"the gateway keeps no values, asked for {key}")
