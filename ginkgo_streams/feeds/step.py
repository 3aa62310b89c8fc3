"""What every feed is: an iterator of steps in event time, which the publisher paces and publishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ginkgo_streams.messages import PriceUpdate


class Step(NamedTuple):
    """All that happens at one moment of event time. Steps come with `time_ms` rising.

    time_ms: ms since 1970 UTC, no earlier than any update in it. updates: may be empty (only the clock moves).
    wait_s: wall seconds between the step before and this one; 0: as fast as it goes. It never changes what is in a step.
    """

    time_ms: int
    updates: Sequence[PriceUpdate]
    wait_s: float = 0.0
