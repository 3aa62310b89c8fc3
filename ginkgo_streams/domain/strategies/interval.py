"""The parameter `interval` of strategies that look at a series of closes."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ginkgo_streams.domain.bars import Interval

IntervalParam = Annotated[
    Interval,
    msgspec.Meta(description="of the closes: tick (each update as it comes, be it a bar), or complete bars: 1m, 5m, 1d"),
]
