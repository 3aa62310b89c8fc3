"""p50 and p99 of repetitions. Of twenty the p99 is next to the slowest: it says what was seen, not what is rare."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

Quantiles = dict[str, float]
"""p50, p99, least, most."""


def quantiles(values: Sequence[float], digits: int = 3) -> Quantiles:
    """Of at least one value, rounded; linear between the values."""
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    named = {"p50": cuts[49], "p99": cuts[98], "least": min(values), "most": max(values)}
    return {name: round(value, digits) for name, value in named.items()}
