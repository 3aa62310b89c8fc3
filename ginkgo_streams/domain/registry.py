"""Components by kind and by name or id. `builtin` holds those of the kernel; outer code adds a user's with `plus`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ginkgo_streams.domain.component import Kind
from ginkgo_streams.domain.risk.capital import CapitalRisk
from ginkgo_streams.domain.risk.correlation import CorrelationRisk
from ginkgo_streams.domain.risk.holding_period import HoldingPeriodRisk
from ginkgo_streams.domain.risk.liquidity import LiquidityRisk
from ginkgo_streams.domain.risk.loss_limit import LossLimitRisk
from ginkgo_streams.domain.risk.max_drawdown import MaxDrawdownRisk
from ginkgo_streams.domain.risk.position_ratio import PositionRatioRisk
from ginkgo_streams.domain.risk.price_limit import PriceLimitRisk
from ginkgo_streams.domain.risk.profit_target import ProfitTargetRisk
from ginkgo_streams.domain.risk.suspension import SuspensionRisk
from ginkgo_streams.domain.risk.trading_time import TradingTimeRisk
from ginkgo_streams.domain.risk.volatility import VolatilityRisk
from ginkgo_streams.domain.selectors.all import AllSelector
from ginkgo_streams.domain.selectors.fixed import FixedSelector
from ginkgo_streams.domain.selectors.momentum import MomentumSelector
from ginkgo_streams.domain.selectors.turnover import TurnoverSelector
from ginkgo_streams.domain.sizers.all_in import AllInSizer
from ginkgo_streams.domain.sizers.atr import ATRSizer
from ginkgo_streams.domain.sizers.fixed_amount import FixedAmountSizer
from ginkgo_streams.domain.sizers.fixed_volume import FixedVolumeSizer
from ginkgo_streams.domain.sizers.ratio import RatioSizer
from ginkgo_streams.domain.strategies.cross_sectional_momentum import CrossSectionalMomentumStrategy
from ginkgo_streams.domain.strategies.dual_thrust import DualThrustStrategy
from ginkgo_streams.domain.strategies.mean_reversion import MeanReversionStrategy
from ginkgo_streams.domain.strategies.momentum import MomentumStrategy
from ginkgo_streams.domain.strategies.random_signal import RandomSignalStrategy
from ginkgo_streams.domain.strategies.trend_follow import TrendFollowStrategy
from ginkgo_streams.domain.strategies.volume_breakout import VolumeBreakoutStrategy

ComponentClass = type[Any]
"""A class as `component` describes it."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Component classes under (kind, name) and (kind, id)."""

    classes: Mapping[tuple[str, str], ComponentClass]

    def find(self, kind: Kind, key: str) -> ComponentClass | None:
        """The class of that name or id, or None."""
        return self.classes.get((kind, key))

    def names(self, kind: Kind) -> list[str]:
        """The names of a kind, sorted."""
        return sorted({cls.__name__ for (of, _), cls in self.classes.items() if of == kind})

    def plus(self, classes: Iterable[ComponentClass]) -> Registry:
        """This registry and more classes. Raises ValueError where a name or id is taken."""
        return registry([*dict.fromkeys(self.classes.values()), *classes])


def registry(classes: Iterable[ComponentClass]) -> Registry:
    """A registry of these classes. Raises ValueError where two have one name or id."""
    found: dict[tuple[str, str], ComponentClass] = {}
    for cls in classes:
        for key in ((cls.kind, cls.__name__), (cls.kind, cls.component_id)):
            if key in found:
                raise ValueError(f"{key[0]} {key[1]!r} is registered twice: by {found[key].__module__} and {cls.__module__}")
            found[key] = cls
    return Registry(found)


builtin = registry([
    TrendFollowStrategy, MeanReversionStrategy, MomentumStrategy, DualThrustStrategy, VolumeBreakoutStrategy,
    CrossSectionalMomentumStrategy, RandomSignalStrategy,
    PositionRatioRisk, LossLimitRisk, ProfitTargetRisk, MaxDrawdownRisk, TradingTimeRisk, CapitalRisk, LiquidityRisk, VolatilityRisk,
    CorrelationRisk, HoldingPeriodRisk, SuspensionRisk, PriceLimitRisk,
    AllInSizer, FixedAmountSizer, FixedVolumeSizer, RatioSizer, ATRSizer,
    FixedSelector, AllSelector, MomentumSelector, TurnoverSelector,
])  # fmt: skip
