"""Clocks of machines that differ. All nodes ask the same Redis for its time, so each sees how far it is from all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ginkgo_streams.apps.alerts import Severity
from ginkgo_streams.apps.load import Gauge, Trouble

SKEW_S: Mapping[Severity, float] = {"warning": 1.0, "critical": 5.0}
"""Seconds between two clocks."""

LOOKS = 2
"""One answer may be late on its way back alone."""


@dataclass(slots=True)
class Skew:
    """What one machine knows of its clock."""

    gauge: Gauge = field(default_factory=lambda: Gauge(SKEW_S, LOOKS))

    def look(self, asked: float, there: float, answered: float) -> Trouble | None:
        """there: the other clock, read between `asked` and `answered` of ours; all in seconds since 1970. What the way there and back
        may explain is not counted."""
        ahead = (asked + answered) / 2 - there
        least = max(abs(ahead) - (answered - asked) / 2, 0.0)
        if not self.gauge.rises(least) or not self.gauge.level:
            return None
        which = "ahead of" if ahead > 0 else "behind"
        text = f"this machine's clock is {least:.1f} s {which} that of Redis: commands and alerts are dated wrong; let NTP set it"
        return Trouble("clock_skew", self.gauge.level, text, {"skew_s": round(ahead, 3), "bound_s": self.gauge.levels[self.gauge.level]})
