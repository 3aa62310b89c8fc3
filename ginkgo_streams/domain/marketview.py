"""What the portfolios of a slot share: the rules of the market and the price windows."""

from __future__ import annotations

from dataclasses import dataclass

from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.windows import Windows


@dataclass(frozen=True, slots=True)
class Market:
    """The market profile and the windows of one slot."""

    profile: Profile
    windows: Windows
