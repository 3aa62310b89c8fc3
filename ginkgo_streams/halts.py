"""The kill switch for programs: stop and start trading, and see what is stopped, by whom, and whether the exchange has carried it out.

    outcome = await stop_engine(settings, mode="halt", reason="wrong prices", issued_by="wang")
    assert outcome.done, outcome.text

`stop_engine_now` and its like are for callers without an event loop. A target is `ENGINE` (everything), a portfolio's id or a code.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal
from uuid import uuid4

import msgspec

from ginkgo_streams import messages as m
from ginkgo_streams.commands import members, run, send_commands
from ginkgo_streams.config import Settings
from ginkgo_streams.domain.halts import ENGINE, Mode
from ginkgo_streams.engine.broadcast import BroadcastTable
from ginkgo_streams.engine.provision import provision
from ginkgo_streams.messages import WaitingOrder
from ginkgo_streams.topics import CONTROL, HALTS, LIVECORE_APP, SCHEDULE, all_topics

WAIT_S = 30.0
"""Scenario 4.2: a stop finishes within 30 s."""

State = Literal["running", "reducing", "halted"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen. done: every partition of the exchange has the change, durably, and (a stop) every open order of the target has
    ended: from then on none trades. ended: open orders that the stop ended. waiting: those not confirmed yet. unconfirmed: partitions
    of codes that have not answered. text: one line for people."""

    done: bool
    target: str
    state: Literal["stopped", "started", "unconfirmed"]
    mode: Mode
    command_id: str
    seconds: float
    ended: int = 0
    waiting: list[WaitingOrder] = []
    unconfirmed: list[int] = []
    text: str


class TargetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The newest change of one target: stopped (and how) or started again, by whom, when (RFC 3339) and why. confirmed: the exchange has
    carried it out everywhere. ended, waiting: as in `Outcome`."""

    target: str
    stopped: bool
    mode: Mode
    since: str
    issued_by: str
    reason: str
    command_id: str
    confirmed: bool
    ended: int
    waiting: list[WaitingOrder]


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """state: of the whole engine. targets: every target ever stopped. livecores: processes that run; without one nothing trades."""

    state: State
    targets: list[TargetStatus]
    livecores: int


class Board:
    """What the topics say of halts: the changes that the gateway numbered, and how far the exchange is with them."""

    def __init__(self, settings: Settings) -> None:
        bootstrap = settings.kafka.bootstrap
        self.partitions = range(settings.kafka.market_data_partitions)
        self.changes = BroadcastTable(bootstrap, SCHEDULE, _decode_change, lambda old, new: new.value >= old.value)
        self.exchange = BroadcastTable(bootstrap, HALTS, _decode_exchange, lambda old, new: new.epoch >= old.epoch)

    def change(self, target: str) -> m.ScheduleUpdate | None:
        """The newest change of a target."""
        found = self.changes.values.get(f"halt:{target}")
        return found if isinstance(found, m.ScheduleUpdate) else None

    def unconfirmed(self, target: str, seq: int) -> list[int]:
        """Partitions whose owner has not said that it has the change of that number."""
        return [partition for partition in self.partitions if self._seen(partition, target) < seq]

    def _seen(self, partition: int, target: str) -> int:
        return max((seen.seq for seen in self._halts(partition) if seen.target == target), default=0)

    def _halts(self, partition: int) -> list[m.HaltSeen]:
        said = self.exchange.values.get(str(partition))
        return said.halts if isinstance(said, m.ExchangeHalts) else []  # a claim: the new owner has not said anything yet

    def ended(self, target: str, seq: int) -> int:
        """Open orders that the change ended, as far as it is confirmed."""
        return sum(seen.ended for p in self.partitions for seen in self._halts(p) if (seen.target, seen.seq) == (target, seq))

    def waiting(self, target: str) -> list[WaitingOrder]:
        """Orders of the target that a halt is to end and that are still open."""
        said = [self.exchange.values.get(str(partition)) for partition in self.partitions]
        orders = [order for one in said if isinstance(one, m.ExchangeHalts) for order in one.waiting]
        return [order for order in orders if target in (ENGINE, order.portfolio_id, order.code)]


@asynccontextmanager
async def board(settings: Settings) -> AsyncIterator[Board]:
    """The board, read whole and kept up to date. Raises NoBrokers, TopicMismatch."""
    kafka = settings.kafka
    topics = all_topics(kafka.slots, kafka.market_data_partitions, kafka.replicas)
    await provision(kafka.bootstrap, [spec for spec in topics if spec.name in (CONTROL, SCHEDULE, HALTS)], kafka.connect_timeout)
    found = Board(settings)
    try:
        await found.changes.start()
        await found.exchange.start()
        yield found
    finally:
        await found.changes.stop()
        await found.exchange.stop()


def engine_command(action: Literal["stop", "start"], target: str, mode: Mode, reason: str, issued_by: str) -> m.ControlCommand:
    """The command as any publisher may send it, of now."""
    params = {"mode": mode, "reason": reason} if action == "stop" else {"reason": reason}
    return m.ControlCommand(
        command_id=str(uuid4()), command_type="engine.stop" if action == "stop" else "engine.start", target_id=target, params=params,
        timestamp=m.iso(time.time_ns() // 1_000_000), issued_by=issued_by,
    )  # fmt: skip


async def stop_engine(
    settings: Settings, target: str = ENGINE, *, mode: Mode = "halt", reason: str = "", issued_by: str = "", wait_s: float = WAIT_S
) -> Outcome:
    """Stop a target: its open orders end, new ones are refused (reduce: those that do not shrink a position) until it is started again.

    Returns when the exchange has confirmed all of that, or says after wait_s what it has not. Raises NoBrokers, TopicMismatch, SendFailed.
    """
    return await _throw(settings, engine_command("stop", target, mode, reason, issued_by), mode, wait_s)


async def start_engine(
    settings: Settings, target: str = ENGINE, *, reason: str = "", issued_by: str = "", wait_s: float = WAIT_S
) -> Outcome:
    """Start a target again; halts of other targets stay. Returns and raises as `stop_engine`."""
    return await _throw(settings, engine_command("start", target, "halt", reason, issued_by), "halt", wait_s)


async def engine_status(settings: Settings) -> EngineStatus:
    """What is stopped, by whom, when, why. Raises NoBrokers, TopicMismatch."""
    async with board(settings) as seen:
        changes = [c for c in seen.changes.values.values() if isinstance(c, m.ScheduleUpdate) and c.kind == "halt"]
        targets = [
            TargetStatus(
                target=c.subject, stopped=c.active, mode=c.mode, since=c.timestamp, issued_by=c.issued_by, reason=c.reason,
                command_id=c.command_id, confirmed=not (seen.unconfirmed(c.subject, c.value) or (c.active and seen.waiting(c.subject))),
                ended=seen.ended(c.subject, c.value), waiting=seen.waiting(c.subject) if c.active else [],
            )
            for c in sorted(changes, key=lambda c: (c.subject != ENGINE, c.subject))
        ]  # fmt: skip
    engine = next((each for each in targets if each.target == ENGINE and each.stopped), None)
    state: State = "running" if engine is None else "halted" if engine.mode == "halt" else "reducing"
    return EngineStatus(state=state, targets=targets, livecores=(await members(settings)).get(LIVECORE_APP, 0))


async def _throw(settings: Settings, command: m.ControlCommand, mode: Mode, wait_s: float) -> Outcome:
    began = time.monotonic()
    target, stopping = command.target_id, command.command_type == "engine.stop"
    async with board(settings) as seen:

        def numbered() -> int:
            change = seen.change(target)
            return change.value if change is not None and change.command_id == command.command_id else 0

        def finished(seq: int) -> bool:
            return not seen.unconfirmed(target, seq) and not (stopping and seen.waiting(target))

        await send_commands(settings, [command])
        livecores = (await members(settings)).get(LIVECORE_APP, 0)
        seq = 0
        try:
            async with asyncio.timeout(wait_s if livecores else 0):
                await seen.changes.until(lambda values: numbered() > 0)
                seq = numbered()
                await seen.exchange.until(lambda values: finished(seq))
            done = True
        except TimeoutError:
            done = False
        unconfirmed = seen.unconfirmed(target, seq) if seq else list(seen.partitions)
        waiting = seen.waiting(target) if stopping else []
        ended = seen.ended(target, seq) if seq else 0
    seconds = round(time.monotonic() - began, 3)
    verb = "stopped" if stopping else "started"
    if done:
        orders = f": {ended} open orders ended, the exchange has confirmed" if stopping else ": the exchange takes its orders again"
        text = f"{_name(target)} {verb}{f' ({mode})' if stopping else ''} in {seconds:.2f} s{orders}"
    elif not livecores:
        text = f"No livecore is running: nothing trades, and the command waits in Kafka; {_name(target)} is {verb} when one is up"
    else:
        text = f"{_name(target)} is not confirmed as {verb} within {wait_s:g} s: {_missing(seq, unconfirmed, waiting)}"
    return Outcome(
        done=done, target=target, state=("stopped" if stopping else "started") if done else "unconfirmed", mode=mode,
        command_id=command.command_id, seconds=seconds, ended=ended, waiting=waiting, unconfirmed=unconfirmed, text=text,
    )  # fmt: skip


def _missing(seq: int, unconfirmed: list[int], waiting: list[WaitingOrder]) -> str:
    if not seq:
        return "the gateway has not taken the command yet; it is in Kafka and takes effect when it does"
    told = []
    if unconfirmed:
        told.append(f"no answer of the exchange's partitions {', '.join(map(str, unconfirmed))}")
    if waiting:
        orders = ", ".join(f"{order.order_id} ({order.code}, portfolio {order.portfolio_id})" for order in waiting)
        told.append(f"{len(waiting)} orders still open, cancelled as soon as the exchange takes cancels (no call auction does): {orders}")
    return "; ".join(told)


def _name(target: str) -> str:
    return "Engine" if target == ENGINE else f"Trading of {target}"


def stop_engine_now(
    settings: Settings, target: str = ENGINE, *, mode: Mode = "halt", reason: str = "", issued_by: str = "", wait_s: float = WAIT_S
) -> Outcome:
    """`stop_engine` for callers without an event loop."""
    return run(stop_engine(settings, target, mode=mode, reason=reason, issued_by=issued_by, wait_s=wait_s))


def start_engine_now(settings: Settings, target: str = ENGINE, *, reason: str = "", issued_by: str = "", wait_s: float = WAIT_S) -> Outcome:
    """`start_engine` for callers without an event loop."""
    return run(start_engine(settings, target, reason=reason, issued_by=issued_by, wait_s=wait_s))


def engine_status_now(settings: Settings) -> EngineStatus:
    """`engine_status` for callers without an event loop."""
    return run(engine_status(settings))


def _decode_change(value: bytes) -> m.ScheduleUpdate:
    message = m.decode(value, m.ScheduleUpdate)
    assert isinstance(message, m.ScheduleUpdate)
    return message


def _decode_exchange(value: bytes) -> m.ExchangeHalts | m.Claim:
    message = m.decode(value, m.ExchangeHalts | m.Claim)
    assert isinstance(message, (m.ExchangeHalts, m.Claim))
    return message
