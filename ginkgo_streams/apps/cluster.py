"""What every process knows of the whole cluster: interest and weights of the slots, pins, disabled nodes, epoch bases.

The two topics are the truth about placement: people's decisions in `schedule.updates`, what runs where in `interest`. Who is
alive, and which slots were given to it, the consumer group knows.
"""

from __future__ import annotations

import time
from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.apps.exchange_rules import commission_of
from ginkgo_streams.engine import internals
from ginkgo_streams.engine.assignor import Wishes
from ginkgo_streams.engine.broadcast import BroadcastTable
from ginkgo_streams.routing import Interest
from ginkgo_streams.topics import INTEREST, NODE_APP, SCHEDULE


def now() -> str:
    """Wall time as messages carry it (of things that happen to machines; trading decides by event time)."""
    return m.iso(time.time_ns() // 1_000_000)


class Cluster:
    """Two broadcast tables, and what is read out of them."""

    def __init__(self, bootstrap: str, app_id: str, slots: int) -> None:
        self.app_id, self.slots = app_id, slots
        self.interest_table = BroadcastTable(bootstrap, INTEREST, _decode_interest, _newer_interest)
        self.schedule_table = BroadcastTable(bootstrap, SCHEDULE, _decode_schedule, _newer_schedule)
        self._interest: dict[int, Interest] = {}
        self._interest_version = -1

    async def start(self) -> None:
        """Read both whole."""
        await self.interest_table.start()
        await self.schedule_table.start()

    async def stop(self) -> None:
        """Stop reading."""
        await self.interest_table.stop()
        await self.schedule_table.stop()

    def interest(self) -> dict[int, Interest]:
        """Slot to the codes it wants; slots without portfolios are not in it."""
        if self._interest_version != self.interest_table.version:
            self._interest_version = self.interest_table.version
            self._interest = {
                update.slot: "*" if "*" in update.codes else frozenset(update.codes)
                for update in self.interest_table.values.values()
                if update.portfolios
            }
        return self._interest

    def weights(self) -> dict[int, int]:
        """Portfolios per slot."""
        return {update.slot: update.portfolios for update in self.running().values()}

    def running(self) -> dict[int, m.InterestUpdate]:
        """Of each slot the newest word of an owner that has loaded it and takes its events."""
        return {update.slot: update for update in list(self.interest_table.values.values())}

    def decided(self, kind: str) -> dict[str, m.ScheduleUpdate]:
        """By subject, the updates of a kind: those that were taken back too."""
        return {update.subject: update for update in list(self.schedule_table.values.values()) if update.kind == kind}

    def wishes(self, partitions: int) -> Wishes:
        """For the assignor: pins and weights concern the portfolios' slots only."""
        if self.app_id != NODE_APP or partitions != self.slots:
            return Wishes()
        asked = self.decided("rebalance").get(self.app_id)
        return Wishes(
            pins={int(u.subject): u.node_id for u in self.decided("pin").values() if u.active and u.subject.isdigit()},
            disabled=frozenset(u.subject for u in self.decided("disabled").values() if u.active),
            weights=self.weights(),
            asked="" if asked is None else asked.timestamp,
        )

    def base(self) -> int:
        """What is added to the group's generation to give an epoch."""
        update = self.schedule_table.values.get(f"epoch:{self.app_id}")
        return 0 if update is None else update.value

    async def raise_base(self, app: Any, value: int) -> None:
        """Let the epochs of all members begin above a value; returns when we know it ourselves."""
        message = m.ScheduleUpdate(timestamp=now(), kind="epoch", subject=self.app_id, value=value, reason="the consumer group began anew")
        await self.decide(app, message)
        await self.schedule_table.until(lambda values: self.base() >= value)

    async def decide(self, app: Any, update: m.ScheduleUpdate) -> None:
        """Publish a record of the schedule; returns when the brokers have it and it, or a later one, is read here."""
        await (await internals.send(app, SCHEDULE, m.schedule_key(update), m.encode(update), 0))
        await self.read(update)

    async def read(self, *updates: m.ScheduleUpdate) -> None:
        """Wait until these records of the schedule, or later ones in their place, are read here."""
        wanted = {m.schedule_key(update).decode(): update.timestamp for update in updates}
        await self.schedule_table.until(lambda values: all(key in values and values[key].timestamp >= at for key, at in wanted.items()))


def _decode_interest(value: bytes) -> m.InterestUpdate:
    message = m.decode(value, m.InterestUpdate)
    assert isinstance(message, m.InterestUpdate)
    return message


def _newer_interest(old: m.InterestUpdate, new: m.InterestUpdate) -> bool:
    return (new.epoch, new.seq) >= (old.epoch, old.seq)


def _decode_schedule(value: bytes) -> m.ScheduleUpdate:
    message = m.decode(value, m.ScheduleUpdate)
    assert isinstance(message, m.ScheduleUpdate)
    m.ms(message.timestamp)
    if message.kind == "fees":
        commission_of(message)
    return message


def _newer_schedule(old: m.ScheduleUpdate, new: m.ScheduleUpdate) -> bool:
    """Bases only rise. Pins count by the time of the wish: a command that is read again after a crash does not undo a later one."""
    if new.kind == "pin" and old.kind == "pin":
        return m.ms(new.timestamp) >= m.ms(old.timestamp)
    return new.kind != "epoch" or new.value >= old.value
