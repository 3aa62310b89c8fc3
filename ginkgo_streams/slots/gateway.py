"""The order gateway of one slot: what counts of the portfolios' orders goes to the broker, by code; and so do the changes of the kill
switch, numbered here, to every partition of codes.

Of orders it keeps nothing: one that a crash makes it forward twice is known to the exchange by its id. For the same reason it does
not refuse orders itself: it could not tell one that comes again, and may have traded, from a new one. The exchange's book can.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.domain import halts as h
from ginkgo_streams.engine.reducer import Effects, Key, Output, Record, Stamp
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.topics import SCHEDULE, SIM_ORDERS

GATEWAY, SWITCH = "gateway", "halts"

log = logging.getLogger("ginkgo.livecore")


class GatewaySlot:
    """`engine.reducer.Slot` for the gateway. Table: gateway, with the one key "halts" where its slot ever had a command for the engine."""

    def __init__(self, market_partitions: int) -> None:
        self.market_partitions = market_partitions
        self.switch = h.Switch()

    def load(self, table: str, key: str, value: bytes) -> None:
        """See `Slot.load`."""
        assert key == SWITCH, f"the gateway keeps its switch alone, found {key}"
        self.switch = h.decode_switch(value)

    def recovered(self) -> Effects:
        """The newest change of each target again: known by its number where it was not lost. Portfolios give their orders again."""
        effects = Effects()
        for halt in self.switch.halts.values():
            self._publish(effects, halt)
        return effects

    def coalesce(self, messages: list[Any]) -> list[Any]:
        """Each by itself."""
        return messages

    def apply(self, record: Record) -> Effects:
        """Forward an order or a cancel, number a change of the switch; a claim has done its work in the engine."""
        message = record.message
        if isinstance(message, m.Claim):
            return Effects()
        if isinstance(message, h.Halt):
            return self._throw(message) if record.fresh(GATEWAY, SWITCH) else Effects()

        def encode(stamp: Stamp) -> bytes:
            return m.encode(message)

        return Effects(outputs=[Output(SIM_ORDERS, message.code.encode(), partition_of(message.code, self.market_partitions), encode)])

    def _throw(self, wish: h.Halt) -> Effects:
        made = self.switch.take(wish)
        if made is None:
            return Effects()
        effects = Effects(dirty=[(GATEWAY, SWITCH)])
        self._publish(effects, made)
        what = f"stopped ({made.mode})" if made.active else "started"
        effects.after.append(lambda: log.warning("%s %s by %s: %s", made.target, what, made.issued_by or "-", made.reason or "-"))
        return effects

    def _publish(self, effects: Effects, halt: h.Halt) -> None:
        """To the exchange first: that is where it counts. The schedule is for all who want to know."""
        update = m.halt_update(halt)
        key, value = m.schedule_key(update), m.encode(update)
        places = [(SIM_ORDERS, partition) for partition in range(self.market_partitions)] + [(SCHEDULE, 0)]
        effects.outputs += [Output(topic, key, partition, lambda stamp: value) for topic, partition in places]

    def settled(self) -> Effects:
        """Nothing."""
        return Effects()

    def touched(self) -> Sequence[Sequence[Key]]:
        """Nothing: the switch is durable with each change."""
        return []

    def encode(self, table: str, key: str) -> bytes:
        """See `Slot.encode`."""
        return h.encode_switch(self.switch)
