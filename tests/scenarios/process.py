"""One slot on one process, step by step as `engine.runner.Runner` takes them, so that a test can stop it between any two.

    take -> (group | checkpoint) -> ack (a changelog record is acknowledged) -> finish (publish, later stages, commit)

Acknowledgements run ahead of publications: groups are pipelined. A process that lost its slot may go on with all of it:
nothing tells it, and only its commit is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ginkgo_streams.engine.envelope import CLAIM, RESERVED, SLOT, seal
from ginkgo_streams.engine.internals import LocalCopy
from ginkgo_streams.engine.owned import Fenced, Input, OwnedSlot, Write
from ginkgo_streams.engine.reducer import Output, Slot, Stamp
from ginkgo_streams.engine.table import accept
from ginkgo_streams.topics import DLQ, changelog
from tests.scenarios.broker import Broker

Decode = Callable[[bytes], Fenced]


@dataclass(frozen=True)
class Role:
    """What an app gives to a runner: its tables (primary first), inputs with their decoders, and where it claims."""

    app: str
    tables: tuple[str, ...]
    inputs: Mapping[str, Decode]
    make_slot: Callable[[int], Slot]
    claims: Callable[[int], Sequence[tuple[str, int]]]
    claim_message: Callable[[int, int], bytes]
    on_taken: Callable[[Any], None] = lambda message: None
    """What an agent does with an input beside handing it on."""


class _Copy:
    """An empty local copy, into which `accept` folds the changelog."""

    def get(self, key: bytes) -> bytes | None:
        """It has nothing."""
        return None


def recover(broker: Broker, topic: str, partition: int) -> dict[bytes, bytes]:
    """The values that a changelog gives to a process with an empty disk."""
    puts, _, _ = accept(cast(LocalCopy, _Copy()), broker.log(topic, partition))
    return puts


@dataclass
class Process:
    """An owner of slot `index`: it has claimed, recovered and loaded it. `committed` outlives it."""

    broker: Broker
    role: Role
    index: int
    epoch: int
    committed: dict[str, int]
    fenced: bool = False
    owned: OwnedSlot = field(init=False)
    unacked: deque[Write] = field(default_factory=deque)
    sent: int = 0
    acked: int = 0
    later: deque[tuple[int, Callable[[], None]]] = field(default_factory=deque)
    dead: list[tuple[str, int, str]] = field(default_factory=list)
    clock: float = 0.0

    def __post_init__(self) -> None:
        role, tables = self.role, [changelog(self.role.app, table) for table in self.role.tables]
        message = role.claim_message(self.index, self.epoch)
        for topic, partition in role.claims(self.index):
            self.broker.send(topic, str(self.index).encode(), message, partition)
        for topic in tables:
            self.broker.send(topic, CLAIM, seal(self.epoch, 0, {}, b"claim"), self.index)
        self.owned = OwnedSlot(self.index, self.epoch, role.make_slot(self.index), role.tables[0])
        copies = [recover(self.broker, topic, self.index) for topic in tables]
        for table, copy in zip(role.tables, copies, strict=True):
            self.owned.load(table, [(key, value) for key, value in copy.items() if not key.startswith(RESERVED)], self.clock)
        self.owned.load_slot(copies[0].get(SLOT))
        self.owned.delivered = {topic: self.committed.get(topic, 0) - 1 for topic in role.inputs}
        self.owned.recovered()

    # ---- the writer ----

    def waiting(self, topic: str) -> int:
        """Inputs of a topic not yet taken."""
        return len(self.broker.log(topic, self.index)) - 1 - self.owned.delivered[topic]

    def take(self, topic: str, count: int = 1) -> None:
        """Take the next inputs of a topic together. One that cannot be read is a dead letter, and only moves the offset."""
        items = [self._read(topic, self.owned.delivered[topic] + 1 + n) for n in range(count)]
        assert self.owned.apply_all(items) == count

    def _read(self, topic: str, offset: int) -> Input:
        key, value = self.broker.log(topic, self.index)[offset]
        try:
            taken = self.role.inputs[topic](value)
            self.role.on_taken(taken.message)
        except ValueError as error:
            taken = Fenced(None)
            self.dead.append((topic, offset, str(error)))
            self.broker.send(topic + DLQ, key, value, 0)
        return Input(topic, self.index, offset, 1, taken.message, taken.fence, taken.claim)

    def group(self) -> None:
        """Send what the inputs taken so far have made dirty."""
        self.clock += 1
        writes, outputs, after = self.owned.collect(self.clock)
        self._send(writes)
        self._then(outputs, after)

    def checkpoint(self) -> None:
        """Send everything that a successor would otherwise have to read again, and commit behind it."""
        self.clock += 1
        made = self.owned.checkpoint(self.clock)
        self._send(made.first)
        self._then(made.outputs, made.after)
        for write in [write for stage in made.later for write in stage]:
            self.later.append((self.sent, lambda write=write: self._append(write)))  # type: ignore[misc]
        done = {topic: offset + 1 for topic, offset in self.owned.applied.items()}
        self.later.append((self.sent, lambda: self._commit(done)))

    def _send(self, writes: Sequence[Write]) -> None:
        self.unacked.extend(writes)
        self.sent += len(writes)

    def _then(self, outputs: Sequence[Output], after: Sequence[Callable[[], None]]) -> None:
        self.later.extend((self.sent, lambda output=output: self._publish(output)) for output in outputs)  # type: ignore[misc]
        self.later.extend((self.sent, call) for call in after)

    # ---- the committer ----

    def ack(self) -> bool:
        """The oldest changelog record in flight is acknowledged. False where there is none."""
        if self.unacked:
            self._append(self.unacked.popleft())
            self.acked += 1
            return True
        return False

    def finish(self) -> bool:
        """The next step of the committer, where what it waits for is acknowledged. False where there is none."""
        if self.later and self.later[0][0] <= self.acked:
            self.later.popleft()[1]()
            return True
        return False

    def drain(self) -> None:
        """Everything in flight arrives."""
        while self.ack() or self.finish():
            pass

    def _append(self, write: Write) -> None:
        self.broker.send(changelog(self.role.app, write.table), write.key, write.value, self.index)

    def _publish(self, output: Output) -> None:
        self.broker.send(output.topic, output.key, output.encode(Stamp(self.index, self.epoch)), output.partition)

    def _commit(self, done: Mapping[str, int]) -> None:
        if not self.fenced:
            self.committed.update(done)
