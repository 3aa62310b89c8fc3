"""What the engine asks of an application: one `Slot` per owned partition, a pure fold over its inputs.

The engine calls `load` for every record of the slot's tables, then `recovered` once, then `apply` for each
input in order, always from one task. `encode` is called right after an `apply` for what it called dirty, and
at checkpoints for what `touched` names. The engine writes those values to the changelog, waits for the
acknowledgement, writes RocksDB, and only then publishes the outputs.

A crash between the acknowledgement and the publication loses the outputs, not the state: `recovered` has to
give again whatever somebody may still wait for, under the same ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Key = tuple[str, str]
"""(table, key)."""


@dataclass(frozen=True, slots=True)
class Record:
    """One input: a decoded message and where it stood. `fresh(table, key)` is false where the value of that key,
    as recovered, has this input in it already: such a key must not see it again."""

    topic: str
    partition: int
    offset: int
    message: Any
    fresh: Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who publishes: the slot (partition) and its epoch."""

    source: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Output:
    """A message to publish once the state that caused it is durable. `encode` gets the stamp of the owner at that time."""

    topic: str
    key: bytes
    partition: int | None
    encode: Callable[[Stamp], bytes]


@dataclass(slots=True)
class Effects:
    """What an event changed (keys to be made durable now), what is to be published after that, and what is called
    once it is (a log line must not tell of what a crash undoes)."""

    dirty: list[Key] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)


class Slot(Protocol):
    """The state of one partition. No I/O, no clock, no random in any method."""

    def load(self, table: str, key: str, value: bytes) -> None:
        """Take one recovered value."""

    def recovered(self) -> Effects:
        """All values are loaded: give again what may have been lost between durable and visible."""

    def coalesce(self, messages: list[Any]) -> list[Any]:
        """Messages of one topic in a row, none of which any value has yet: fewer ones with the same effect, for speed.

        They are applied one after the other before anything is made durable. Returning them as they are is right.
        """

    def apply(self, record: Record) -> Effects:
        """Fold one input into the state. An exception here ends the process before the input is acknowledged."""

    def settled(self) -> Effects:
        """Called at each checkpoint, before `touched`: what is to be said of the state as it is then."""

    def touched(self) -> Sequence[Sequence[Key]]:
        """Stages of keys changed since they were last encoded; a stage is durable before the next one is sent."""

    def encode(self, table: str, key: str) -> bytes:
        """The value of a key as it is now; the key is then no longer touched."""
