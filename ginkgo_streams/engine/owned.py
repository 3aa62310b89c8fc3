"""One slot that this process owns: its state, what of it is durable, and what has to be written next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ginkgo_streams.engine.envelope import CLAIM, SLOT, SlotState, seal, seal_slot, unseal, unseal_slot
from ginkgo_streams.engine.fence import Fences
from ginkgo_streams.engine.reducer import Effects, Key, Output, Record, Slot

REWRITE_AFTER_S = 60.0
"""A value not written for so long is written again, and the claim with it, well within the changelog's compaction lag of ten minutes:
after that time a fenced owner's late record of the key could otherwise be the only one that compaction keeps."""


@dataclass(frozen=True, slots=True)
class Write:
    """A changelog record to be: table, key, bytes."""

    table: str
    key: bytes
    value: bytes


class Fenced(NamedTuple):
    """A decoded message of a fenced topic. fence: (source, epoch) of the sender; claim: the same, where it is a claim."""

    message: Any
    fence: tuple[int, int] | None = None
    claim: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint sends. first: before the outputs; later: stages, each acknowledged before the next is sent, all
    after the outputs are; claim: whether the claim is to be written again too."""

    first: list[Write]
    outputs: list[Output]
    after: list[Callable[[], None]]
    later: list[list[Write]]
    claim: bool


@dataclass(slots=True)
class Input:
    """One input as an agent handed it over. `message` None: a dead letter, which only moves the offset."""

    topic: str
    partition: int
    offset: int
    generation: int
    message: Any
    fence: tuple[int, int] | None = None
    claim: tuple[int, int] | None = None
    also: Any = None


@dataclass(slots=True)
class OwnedSlot:
    """The slot and its bookkeeping. All methods are called from the single writer.

    By input topic: delivered, the last offset handed over, counted from the committed one. applied: the last folded into the state
    here, which a replay brings up to what it was; only that may be committed, or stand in a value of a table other than the primary.
    floor: how far every value of the primary table reaches. horizon: how far any recovered value reaches.
    written: when each value was written last (monotonic s), and claimed the claim.
    """

    index: int
    epoch: int
    slot: Slot
    primary: str
    fences: Fences = field(default_factory=Fences)
    applied: dict[str, int] = field(default_factory=dict)
    delivered: dict[str, int] = field(default_factory=dict)
    floor: dict[str, int] = field(default_factory=dict)
    seen: dict[Key, Mapping[str, int]] = field(default_factory=dict)
    horizon: dict[str, int] = field(default_factory=dict)
    written: dict[Key, float] = field(default_factory=dict)
    claimed: float = 0.0
    dirty: dict[Key, None] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)
    fence_moved: bool = False
    changed: bool = False
    seq: int = 0
    refused: int = 0
    also: list[Any] = field(default_factory=list)

    def load(self, table: str, items: Iterable[tuple[bytes, bytes]], now: float) -> None:
        """Take the recovered values of one table.

        When each was written is not known, but in which order: they are written again in that order, spread over REWRITE_AFTER_S.
        So a take-over does not write all at once, and an owner goes on where one that lived shortly has ended.
        """
        order: dict[Key, tuple[int, int]] = {}
        for key, value in items:
            envelope = unseal(value)
            if not envelope.payload:
                continue
            name = key.decode()
            self.slot.load(table, name, envelope.payload)
            self.seen[table, name] = envelope.applied
            order[table, name] = (envelope.epoch, envelope.seq)
            self._reach(envelope.applied)
        for place, found in enumerate(sorted(order, key=order.__getitem__)):
            self.written[found] = now - REWRITE_AFTER_S * (1 - place / len(order))

    def load_slot(self, value: bytes | None) -> None:
        """Take the slot's own record, if there is one."""
        if value is None:
            return
        envelope = unseal(value)
        self.fences = Fences(unseal_slot(envelope.payload).fences)
        self.floor = dict(envelope.applied)
        self._reach(envelope.applied)

    def _reach(self, applied: Mapping[str, int]) -> None:
        for topic, offset in applied.items():
            if offset > self.horizon.get(topic, -1):
                self.horizon[topic] = offset

    def is_at(self, delivered: Mapping[str, int]) -> bool:
        """Whether what follows these offsets is what follows the state: nothing of it would be read again, and nothing left out."""
        return all(self.applied.get(topic, offset) == offset for topic, offset in delivered.items())

    def again(self, epoch: int) -> OwnedSlot:
        """The same slot under another claim, where all of it is durable and nobody has written since: it needs no reading. One in
        mid-replay goes on with it."""
        return replace(self, epoch=epoch, seq=0, dirty={}, outputs=[], after=[], also=[])

    def recovered(self) -> None:
        """All is loaded: what the application wants to give again."""
        self._take(self.slot.recovered())

    def apply_all(self, items: Sequence[Input]) -> int:
        """Fold what has arrived into the state, in order; returns how many inputs were in turn.

        Plain inputs in a row that are new to every value go to the slot together (`Slot.coalesce`).
        """
        taken = 0
        run: list[Input] = []
        for item in items:
            plain = item.message is not None and item.fence is None and item.claim is None and item.also is None
            if run and (not plain or item.topic != run[0].topic):
                taken += self._apply_run(run)
                run = []
            if plain and item.offset > self.horizon.get(item.topic, -1):
                run.append(item)
            else:
                taken += self.apply(item)
        return taken + self._apply_run(run)

    def _apply_run(self, run: Sequence[Input]) -> int:
        if len(run) == 1:
            return int(self.apply(run[0]))
        in_turn = [item for item in run if self._next(item)]
        for item in in_turn:
            self._pass(item)
        if in_turn:
            last = in_turn[-1]
            for message in self.slot.coalesce([item.message for item in in_turn]):
                self._take(self.slot.apply(Record(last.topic, self.index, last.offset, message, _always)))
        return len(in_turn)

    def _next(self, item: Input) -> bool:
        if item.offset != self.delivered.get(item.topic, item.offset - 1) + 1:
            return False
        self.delivered[item.topic] = item.offset
        self.changed = True
        return True

    def apply(self, item: Input) -> bool:
        """Fold one input into the state, if it is the next of its partition, and counts. Returns whether it was the next.

        Faust resumes partitions before it seeks them to the committed offsets: inputs may come twice, and the first
        ones may come while a rebalance is still on and be lost with it. So only the successor of what was delivered,
        counted from the committed offset, is taken; what is left out comes again after the seek. If it does not, the
        watchdog ends the process.
        """
        if not self._next(item):
            return False
        if item.also is not None:
            self.also.append(item.also)
        if item.claim is not None:
            if not self.fences.claim(item.topic, *item.claim):
                self._pass(item)
                return True
            self.fence_moved = True
        elif item.fence is not None and not self.fences.admits(item.topic, *item.fence):
            self.refused += 1
            self._pass(item)
            return True
        self._pass(item)
        if item.message is not None:
            self._take(self.slot.apply(Record(item.topic, self.index, item.offset, item.message, self._fresh(item.topic, item.offset))))
        return True

    def _pass(self, item: Input) -> None:
        if item.offset > self.applied.get(item.topic, -1):
            self.applied[item.topic] = item.offset

    def _fresh(self, topic: str, offset: int) -> Any:
        if offset > self.horizon.get(topic, -1):
            return _always
        floor, seen, primary = self.floor.get(topic, -1), self.seen, self.primary

        def fresh(table: str, key: str) -> bool:
            """Whether the recovered value of a key lacks this input (the floor speaks for the primary table only)."""
            known = seen.get((table, key))
            reach = -1 if known is None else known.get(topic, -1)
            return offset > (max(reach, floor) if table == primary else reach)

        return fresh

    def _take(self, effects: Effects) -> None:
        for key in effects.dirty:  # by their last change: what is written of a key is never ahead of what changed before that
            self.dirty.pop(key, None)
            self.dirty[key] = None
        self.outputs.extend(effects.outputs)
        self.after.extend(effects.after)

    @property
    def pending(self) -> bool:
        """Whether `collect` would give anything."""
        return bool(self.dirty or self.outputs or self.after or self.fence_moved)

    def collect(self, now: float) -> tuple[list[Write], list[Output], list[Callable[[], None]]]:
        """What has to be durable, what may be published after it, and what is called then, since the last call."""
        writes = [self._write(key, now) for key in self.dirty]
        if self.fence_moved:
            writes.append(self._own_record(self.floor))
        outputs, self.outputs = self.outputs, []
        after, self.after = self.after, []
        self.dirty.clear()
        return writes, outputs, after

    def stale(self, now: float) -> bool:
        """Whether something is to be written again for its age alone."""
        return now - min(self.written.values(), default=now) >= REWRITE_AFTER_S

    def checkpoint(self, now: float) -> Checkpoint:
        """Everything that brings the slot durable up to `applied`.

        The slot's own record closes what is sent first: what is sent later (price windows) may reach further than a value
        of the primary table only if that record is there to say that those values reach as far.
        """
        self._take(self.slot.settled())
        first, outputs, after = self.collect(now)
        stages = [[self._write(key, now) for key in stage] for stage in self.slot.touched()] or [[]]
        stale = [self._write(key, now) for key, at in self.written.items() if now - at >= REWRITE_AFTER_S]
        if claim := now - self.claimed >= REWRITE_AFTER_S:
            self.claimed = now
        self.floor = _furthest(self.floor, self.applied)
        first += stages[0] + [w for w in stale if w.table == self.primary] + [self._own_record(self.floor)]
        later = [*stages[1:], [w for w in stale if w.table != self.primary]]
        self.changed = False
        return Checkpoint(first, outputs, after, [stage for stage in later if stage], claim)

    def _write(self, key: Key, now: float) -> Write:
        table, name = key
        payload = self.slot.encode(table, name)
        if payload:
            self.written[key] = now
        else:
            self.written.pop(key, None)  # gone: nothing of it has to be kept from compaction
        # During a replay a value may hold more than the inputs read again so far.
        applied = _furthest(self.applied, self.seen.get(key, {}))
        if table == self.primary:
            applied = _furthest(applied, self.floor)
        return Write(table, name.encode(), self._seal(applied, payload))

    def _own_record(self, floor: Mapping[str, int]) -> Write:
        self.fence_moved = False
        return Write(self.primary, SLOT, self._seal(floor, seal_slot(SlotState(self.fences.claimed))))

    def claim_again(self, tables: Iterable[str]) -> list[Write]:
        """The claim as a record of each table, so that compaction keeps it and no late one."""
        return [Write(table, CLAIM, self._seal({}, b"claim")) for table in tables]

    def _seal(self, applied: Mapping[str, int], payload: bytes) -> bytes:
        self.seq += 1
        return seal(self.epoch, self.seq, applied, payload)


def _furthest(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The greater offset of each topic."""
    return {topic: max(one.get(topic, -1), other.get(topic, -1)) for topic in one.keys() | other.keys()}


def _always(table: str, key: str) -> bool:
    return True
