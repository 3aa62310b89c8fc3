"""The market profile and the exchange's settings from the configuration: one source for every fee there is."""

from __future__ import annotations

from fractions import Fraction

from ginkgo_streams import messages as m
from ginkgo_streams.apps.unfit import Unfit
from ginkgo_streams.config import Settings
from ginkgo_streams.config.schema import SimulationBroker
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.cn import ChinaA, Commission, cn, commission
from ginkgo_streams.messages import units
from ginkgo_streams.sessions import trading_calendar


def broker_of(settings: Settings) -> SimulationBroker:
    """The broker that livecore.broker_type names. Raises Unfit."""
    name = settings.livecore.broker_type
    broker = settings.all_brokers.get(name)
    if broker is None:
        raise Unfit(f"broker {name!r} is not in brokers.yml; there are: {', '.join(sorted(settings.all_brokers))}")
    if not isinstance(broker, SimulationBroker):
        raise Unfit(
            f"broker {name!r} is of type real ({broker.broker_name}): no adapter for it is installed; use a broker of type simulation"
        )
    return broker


def profile_of(settings: Settings) -> ChinaA:
    """The A-share market with the broker's commission."""
    broker = broker_of(settings)
    return cn(trading_calendar(), Fraction(broker.commission_rate), units(float(broker.min_commission)))


def commission_of(update: m.ScheduleUpdate) -> Commission:
    """The commission that a schedule update of kind "fees" tells. Raises ValueError."""
    try:
        rate = Fraction(update.commission_rate)
    except ZeroDivisionError as error:
        raise ValueError(f"{update.commission_rate} is no rate") from error
    return commission(rate, update.value)


def exchange_settings(settings: Settings) -> ExchangeSettings:
    """The simulated exchange as brokers.yml wants it."""
    broker = broker_of(settings)
    return ExchangeSettings(
        participation=broker.participation, slippage_rate=float(broker.slippage_rate), reject_rate=broker.reject_rate,
        disconnect_rate=broker.disconnect_rate, seed=broker.seed, ack_delay_ms=broker.ack_delay_ms,
    )  # fmt: skip
