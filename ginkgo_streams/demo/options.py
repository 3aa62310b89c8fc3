"""What can be chosen of the demo."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """seconds: of trading, None until a signal. codes: empty for those of the scenario. keep: the data of a demo that ended well.

    speed: updates of each code a wall second. The simulation moves 3 s of event time an update: at 50 a trading day lasts 98 s, and
    what is bought on one can be sold on the next (T+1).
    """

    seconds: float | None = None
    seed: int = 1
    codes: tuple[str, ...] = ()
    portfolios: int = 3
    nodes: int = 2
    speed: float = 50.0
    keep: bool = False
