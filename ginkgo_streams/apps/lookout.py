"""What one look at the cluster finds out since the last: nodes that came, left or died, portfolios that move, too little capacity.

Pure, so that it can be tested without a cluster. What has to outlive a restart of livecore is on record in `schedule.updates`: a
record `node:ID` says that a node was seen in the group (`active`, `value`: when its process began, ms), or that it is gone and
how. A node itself writes the record only when it stops as told; it is then not missed.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.apps.alerts import Severity
from ginkgo_streams.schedule.members import NodeMember

STOPPED = "stopped"
"""Reason of a node that left as told."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing to say. level: of the log line, 0 for none. alert: its type, "" for none. record: to be kept once it was said."""

    text: str
    level: int = logging.INFO
    alert: str = ""
    severity: Severity = "info"
    source: str = "scheduler"
    details: dict[str, Any] = field(default_factory=dict)
    record: m.ScheduleUpdate | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. at: seconds, monotonic; time: of the wall. members: None while the group rebalances. running: of each slot the owner's
    newest word. known, disabled: newest records by node."""

    at: float
    time: str
    members: Mapping[str, NodeMember] | None
    running: Mapping[int, m.InterestUpdate]
    known: Mapping[str, m.ScheduleUpdate]
    disabled: Collection[str] = ()


class Lookout:
    """Compares looks. Begin anew after a failed publication: what was not put on record is then found again."""

    def __init__(self, session_timeout_s: float) -> None:
        self.session_timeout_s = session_timeout_s
        self._before: Seen | None = None
        self._missed: set[str] = set()
        self._had: dict[str, int] = {}
        self._moving: dict[int, tuple[str, float]] = {}
        self._since: float | None = None
        self._over = False

    def look(self, seen: Seen) -> list[Found]:
        """What is new. The records are in the next look, if they were published."""
        found = [*self._nodes(seen), *self._moves(seen), *self._capacity(seen)]
        self._before = seen
        return found

    # ---- nodes --------------------------------------------------------------------------------------------------------

    def _nodes(self, seen: Seen) -> list[Found]:
        found = []
        online_before = set() if self._before is None else {n for n, record in self._before.known.items() if record.active}
        for node_id in sorted(online_before):
            record = seen.known.get(node_id)
            if record is not None and not record.active and record.reason == STOPPED:
                text = f"ExecutionNode {node_id} has left: {STOPPED}"
                found.append(Found(text, alert="node_offline", source=node_id, details={"node_id": node_id, "reason": STOPPED}))
        if seen.members is None:
            return found
        for node_id in sorted(seen.members.keys() | seen.known.keys()):
            member, record = seen.members.get(node_id), seen.known.get(node_id)
            if member is not None:
                self._missed.discard(node_id)
                found += self._there(seen, member, record)
                self._had[node_id] = sum(update.portfolios for update in seen.running.values() if update.node_id == node_id)
            elif record is not None and record.active:
                # Its own word that it stops is on record before it leaves, but may be read here a moment later: look once more.
                if node_id in self._missed:
                    found.append(self._died(seen, node_id, f"no heartbeat for {self.session_timeout_s:g} s"))
                self._missed ^= {node_id}
        return found

    def _there(self, seen: Seen, member: NodeMember, record: m.ScheduleUpdate | None) -> list[Found]:
        node_id = member.node_id
        if record is not None and record.value == member.started and (record.active or record.reason == STOPPED):
            return []  # known, or still in the group while it stops
        again = m.ScheduleUpdate(timestamp=seen.time, kind="node", subject=node_id, value=member.started, reason="joined")
        details = {"node_id": node_id, "host": member.host, "capacity": member.capacity}
        if record is None:
            text, then = f"Detected new ExecutionNode: {node_id}", "Assigning Portfolios to available nodes..."
        else:
            text, then = f"ExecutionNode {node_id} is back online", "Rebalancing Portfolio assignments..."
        found = [Found(text, alert="node_online", source=node_id, details=details, record=again), Found(then)]
        if record is not None and record.active:  # killed, and started again before it was missed
            return [self._died(seen, node_id, "killed and started again", keep=False), *found]
        return found

    def _died(self, seen: Seen, node_id: str, why: str, *, keep: bool = True) -> Found:
        gone = m.ScheduleUpdate(timestamp=seen.time, kind="node", subject=node_id, active=False, reason=why)
        return Found(
            f"ExecutionNode {node_id} heartbeat timeout ({self.session_timeout_s:g}s)" if keep else f"ExecutionNode {node_id} was {why}",
            logging.WARNING, "node_offline", "critical", node_id,
            {"node_id": node_id, "reason": why, "portfolios": self._had.get(node_id, 0)}, gone if keep else None,
        )  # fmt: skip

    # ---- portfolios that move -----------------------------------------------------------------------------------------

    def _moves(self, seen: Seen) -> list[Found]:
        found: list[Found] = []
        owner = {slot: member.node_id for member in (seen.members or {}).values() for slot in member.active}
        if self._before is None:
            return found
        started: dict[tuple[str, str], int] = {}
        arrived: list[str] = []
        for slot, update in seen.running.items():
            old = self._before.running.get(slot)
            if old is not None and old.node_id != update.node_id:
                source, since = self._moving.pop(slot, ("", self._before.at))
                if not source and update.portfolio_ids:
                    started[old.node_id, update.node_id] = started.get((old.node_id, update.node_id), 0) + len(update.portfolio_ids)
                self._since = since if self._since is None else min(self._since, since)
                arrived += update.portfolio_ids
            elif slot in owner and owner[slot] != update.node_id and slot not in self._moving:
                self._moving[slot] = (update.node_id, seen.at)
                if update.portfolio_ids:
                    started[update.node_id, owner[slot]] = started.get((update.node_id, owner[slot]), 0) + len(update.portfolio_ids)
            elif slot in self._moving and owner.get(slot) == update.node_id:
                del self._moving[slot]  # it went back to where it was
        for (source, target), count in sorted(started.items()):
            details = f"{count} portfolio{'s'[: count != 1]}"
            found.append(Found(f"Triggering Portfolio migration from {source} to {target} ({details})"))
        found += [Found(f"Portfolio {portfolio_id} migrated successfully") for portfolio_id in sorted(arrived)]
        if self._since is not None and not self._moving:
            if started or arrived:
                found.append(Found(f"Migration completed in {seen.at - self._since:.1f}s"))
            self._since = None
        return found

    # ---- capacity -----------------------------------------------------------------------------------------------------

    def _capacity(self, seen: Seen) -> list[Found]:
        if not seen.members:
            return []
        enabled = [member for node_id, member in seen.members.items() if node_id not in seen.disabled] or list(seen.members.values())
        portfolios = sum(update.portfolios for update in seen.running.values())
        capacity = sum(member.capacity for member in enabled)
        over = all(member.capacity for member in enabled) and portfolios > capacity
        was, self._over = self._over, over
        if over and not was:
            text = f"{portfolios} portfolios on nodes for {capacity}: all of them run, start another node or raise --max-portfolios"
            details = {"portfolios": portfolios, "capacity": capacity, "nodes": sorted(member.node_id for member in enabled)}
            return [Found(text, logging.WARNING, "capacity_exceeded", "warning", details=details)]
        return [Found(f"{portfolios} portfolios on nodes for {capacity}: there is room again")] if was and not over else []
