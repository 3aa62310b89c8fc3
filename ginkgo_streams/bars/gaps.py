"""Days on which a code has no bar though its market traded: warned of, because indicators run over them as if they were not there."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.market.profile import Profile

TOLERATED = 4
"""Calendar days between two bars that a market without a calendar may be closed: a long weekend."""
NAMED = 3


def gap_warnings(code: str, ts: NDArray[np.int64], daily: bool, profile: Profile) -> list[str]:
    """One sentence for a code with gaps. ts: ends of its bars, ms, ascending."""
    days = np.unique(np.array([profile.trading_day(at) for at in ts.tolist()], np.int64))
    found: list[tuple[int, int, int]] = []
    for i in np.flatnonzero(np.diff(days) > 1).tolist():
        before, after = int(days[i]), int(days[i + 1])
        if profile.name == "CN":
            missing = profile.trading_days_between(before, after) - 1
        else:
            missing = after - before - 1 if after - before > TOLERATED else 0
        if missing > 0:
            found.append((before + 1, after - 1, missing))
    if not found:
        return []
    named = [date.fromordinal(first).isoformat() if last == first else f"{date.fromordinal(first)} to {date.fromordinal(last)}"
             for first, last, _ in found[:NAMED]]  # fmt: skip
    kind = "trading days" if profile.name == "CN" else "days"
    more = f" and {len(found) - NAMED} more gaps" if len(found) > NAMED else ""
    return [f"{code}: no bar on {sum(missing for *_, missing in found)} {kind}: {', '.join(named)}{more}"]
