"""A record of an input as it was read: what an agent is given."""

from __future__ import annotations

from typing import NamedTuple


class Arrival(NamedTuple):
    """timestamp: the record's, ms. generation: of the assignment under which it was read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    generation: int
