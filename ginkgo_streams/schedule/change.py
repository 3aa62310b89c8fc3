"""Decisions about the placement, each followed until its effect is seen: migrate, unpin, rebalance, disable, enable.

A decision stands in `schedule.updates` when the brokers have it; the group's leader then asks for a new placement. "Seen" means
that the new owner itself has said, in the interest topic, that it has loaded the slot and takes its events.
"""

from __future__ import annotations

import asyncio
import getpass
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ginkgo_streams import messages as m
from ginkgo_streams.engine.assignor import Wishes
from ginkgo_streams.engine.placement import Node
from ginkgo_streams.placement_key import slot_of
from ginkgo_streams.schedule.connection import Connection
from ginkgo_streams.schedule.plan import NodePlan, Plan, read_plan
from ginkgo_streams.topics import NODE_APP

WAIT_S = 30.0
"""How long the effect of a decision is waited for."""

LOOK_S = 0.05
"""Pause between two questions to the group's coordinator."""


class Refused(Exception):
    """What was asked cannot be done, and nothing was changed: the text says why."""


class NotSeen(Exception):
    """The decision is made and stands, and its effect was not seen in time: the text says what was."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A slot that changed its node, with its portfolios."""

    slot: int
    source: str
    target: str
    portfolio_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Migration:
    """A portfolio seen running on its target. seconds: from the decision until then, 0 where it ran there already. along: the other
    portfolios of its slot, which moved with it."""

    portfolio_id: str
    slot: int
    source: str
    target: str
    seconds: float
    along: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision about nodes moved, and how long that took until all of it was seen running."""

    moved: tuple[Moved, ...]
    seconds: float


async def migrate(connection: Connection, portfolio_id: str, to: str, *, issued_by: str = "", wait_s: float = WAIT_S) -> Migration:
    """Pin the portfolio's slot to a node, and return when the portfolio is seen running there; at once where it does already.

    Raises Refused (no such portfolio or node, or the node is disabled), NotSeen, NoBrokers, SendFailed.
    """
    tables = connection.tables
    plan = await _settled(connection, wait_s)
    _able(plan, to)
    slot = slot_of(portfolio_id, tables.slots)
    before = tables.running().get(slot)
    if before is None or portfolio_id not in before.portfolio_ids:
        raise Refused(f"no node runs a portfolio {portfolio_id!r}: look at `ginkgo schedule plan` or `ginkgo portfolio list`")
    here = before.node_id == to
    along = tuple(each for each in before.portfolio_ids if each != portfolio_id)
    began = time.monotonic()
    await connection.decide(_pin(connection, slot, to, f"migration of portfolio {portfolio_id}", issued_by))
    if here:
        return Migration(portfolio_id, slot, to, to, 0.0, along)

    def there(values: object) -> bool:
        now = tables.running()[slot]
        return now.node_id == to and now.epoch > before.epoch and portfolio_id in now.portfolio_ids

    try:
        async with asyncio.timeout(wait_s):
            await tables.interest_table.until(there)
    except TimeoutError:
        raise NotSeen(
            f"portfolio {portfolio_id} was not seen on {to} within {wait_s:g} s, it is on {tables.running()[slot].node_id}; slot {slot} "
            f"stays pinned to {to} and moves when it can: see `ginkgo schedule plan`"
        ) from None
    return Migration(portfolio_id, slot, before.node_id, to, time.monotonic() - began, along)


async def unpin(connection: Connection, portfolio_id: str | None = None, *, issued_by: str = "") -> tuple[int, ...]:
    """Take back the pin of a portfolio's slot, or all pins; the slots that had one. They move where balance wants them.

    Raises SendFailed.
    """
    tables = connection.tables
    pins = {int(u.subject): u for u in tables.decided("pin").values() if u.active and u.subject.isdigit()}
    if portfolio_id is not None:
        slot = slot_of(portfolio_id, tables.slots)
        pins = {slot: pins[slot]} if slot in pins else {}
    if pins:
        now = _now(update.timestamp for update in pins.values())
        by = issued_by or _who()
        await connection.decide(
            *(m.ScheduleUpdate(timestamp=now, kind="pin", subject=str(slot), active=False, issued_by=by) for slot in sorted(pins))
        )
    return tuple(sorted(pins))


async def rebalance(connection: Connection, *, issued_by: str = "", wait_s: float = WAIT_S) -> Change:
    """Ask for a placement by today's numbers of portfolios; nothing is asked, and nothing moves, where it is balanced already.

    Raises Refused (no node runs), NotSeen, NoBrokers, SendFailed.
    """
    plan = await _settled(connection, wait_s)
    if not plan.live and not any(node.slots for node in plan.nodes):
        raise Refused("no execution node is running: start one with `ginkgo worker start --type execution_node`")
    wishes = connection.tables.wishes(connection.tables.slots)
    if not _differs(plan, wishes):
        return Change((), 0.0)
    asked = m.ScheduleUpdate(timestamp=_now([wishes.asked] if wishes.asked else []), kind="rebalance", subject=NODE_APP,
                             issued_by=issued_by or _who())  # fmt: skip
    return await _follow(connection, plan, asked, wait_s, lambda now: True)


async def disable(connection: Connection, node_id: str, reason: str, *, issued_by: str = "", wait_s: float = WAIT_S) -> Change:
    """Take a node out of the placement: it stays up and idle. Returns when all that it had is seen running elsewhere.

    Raises Refused (no such node, or no other to go to), NotSeen, NoBrokers, SendFailed.
    """
    plan = await _settled(connection, wait_s)
    node = known(plan, node_id)
    if node.status == "running" and len(plan.live) == 1:
        raise Refused(f"{node_id} is the only node that is up and enabled: its portfolios have nowhere to go; start another first")
    decision = _switch(connection, node_id, False, reason, issued_by)
    return await _follow(connection, plan, decision, wait_s, lambda now: not _has(now, node_id))


async def enable(connection: Connection, node_id: str, reason: str = "", *, issued_by: str = "", wait_s: float = WAIT_S) -> Change:
    """Bring a node back into the placement. Returns when its share is seen running on it, at once where it is not up.

    Raises Refused (no such node), NotSeen, NoBrokers, SendFailed.
    """
    plan = await _settled(connection, wait_s)
    known(plan, node_id)
    return await _follow(connection, plan, _switch(connection, node_id, True, reason, issued_by), wait_s, lambda now: True)


# ---- what they share --------------------------------------------------------------------------------------------------


async def _settled(connection: Connection, wait_s: float) -> Plan:
    """The plan once the group is settled and all slots run, or as it is after wait_s: then refusals say what is missing."""
    deadline = time.monotonic() + wait_s
    while True:
        group = await connection.group()
        plan = await read_plan(connection)
        if plan.settled or (group.settled and (not group.members or time.monotonic() > deadline)):
            return plan
        if time.monotonic() > deadline:
            raise NotSeen(f"the nodes have not agreed on a placement for {wait_s:g} s (their group is {group.state}): nothing was changed")
        await asyncio.sleep(LOOK_S)


async def _follow(connection: Connection, before: Plan, decision: m.ScheduleUpdate, wait_s: float, seen: Callable[[Plan], bool]) -> Change:
    """Publish a decision and wait until the placement is what follows from it, and all of it runs."""
    began = time.monotonic()
    await connection.decide(decision)
    while True:
        plan = await read_plan(connection)
        wishes = connection.tables.wishes(connection.tables.slots)
        if not before.live and not plan.live and not any(node.slots for node in plan.nodes):
            return Change((), 0.0)  # nobody is up: it counts when somebody is
        if plan.settled and seen(plan) and not _differs(plan, wishes):
            return Change(_moves(before, plan), time.monotonic() - began)
        if time.monotonic() - began > wait_s:
            late = [f"slot {slot.slot} is on {slot.running_on or 'no node'}, given to {slot.node_id or 'none'}" for slot in plan.slots
                    if slot.node_id != slot.running_on]  # fmt: skip
            raise NotSeen(
                f"{decision.kind} of {decision.subject} is decided, and was not seen done within {wait_s:g} s: "
                f"{'; '.join(late) or 'the nodes have not been placed anew'}; see `ginkgo schedule plan`"
            )
        await asyncio.sleep(LOOK_S)


def _differs(plan: Plan, wishes: Wishes) -> bool:
    """Whether the wishes would place anything elsewhere than it is: the same function that the group's leader asks."""
    nodes = [Node(node.node_id, node.capacity) for node in plan.nodes if node.status != "offline"]
    if not nodes:
        return False
    active = {slot.slot: slot.node_id for slot in plan.slots if slot.node_id}
    standby = {slot.slot: slot.standbys for slot in plan.slots}
    replicas = max((len(slot.standbys) for slot in plan.slots), default=0)
    return wishes.place(len(plan.slots), nodes, active, standby, replicas).active != active


def _moves(before: Plan, after: Plan) -> tuple[Moved, ...]:
    pairs = [(old, new) for old, new in zip(before.slots, after.slots, strict=True) if old.running_on != new.running_on]
    return tuple(Moved(new.slot, old.running_on, new.running_on, new.portfolio_ids) for old, new in pairs)


def _has(plan: Plan, node_id: str) -> bool:
    return any(node_id in (slot.node_id, slot.running_on) for slot in plan.slots)


def _able(plan: Plan, node_id: str) -> None:
    node = plan.node(node_id)
    if node is None or node.status == "offline":
        names = ", ".join(each.node_id for each in plan.live) or "none"
        raise Refused(f"node {node_id!r} is not running; nodes that are: {names}")
    if node.status == "disabled":
        raise Refused(f"node {node_id} is disabled ({node.reason or 'no reason was given'}): `ginkgo node enable {node_id}` first")


def known(plan: Plan, node_id: str) -> NodePlan:
    """A node of the plan. Raises Refused where it was never seen."""
    node = plan.node(node_id)
    if node is None:
        raise Refused(f"there is no node {node_id!r}; there are: {', '.join(each.node_id for each in plan.nodes) or 'none'}")
    return node


def _pin(connection: Connection, slot: int, to: str, reason: str, issued_by: str) -> m.ScheduleUpdate:
    old = connection.tables.decided("pin").get(str(slot))
    return m.pin(slot, to, _now([old.timestamp] if old else []), reason=reason, issued_by=issued_by or _who())


def _switch(connection: Connection, node_id: str, on: bool, reason: str, issued_by: str) -> m.ScheduleUpdate:
    old = connection.tables.decided("disabled").get(node_id)
    return m.ScheduleUpdate(
        timestamp=_now([old.timestamp] if old else []), kind="disabled", subject=node_id, active=not on, reason=reason,
        issued_by=issued_by or _who(),
    )  # fmt: skip


def _now(earlier: Iterable[str]) -> str:
    """Now, and later than any of the decisions it replaces, whose authors' clocks may be ahead."""
    return m.iso(max([time.time_ns() // 1_000_000, *(m.ms(text) + 1 for text in earlier)]))


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "ginkgo"  # no name for this user id, as in some containers
