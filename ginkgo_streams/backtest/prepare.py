"""From what a user names to a plan: the portfolio, the bars, the market with its fees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Any, Literal

from ginkgo_streams.backtest.run import BadPortfolio, Plan, PortfolioSpec, check_spec
from ginkgo_streams.bars.load import Source, load_bars
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.cn import cn
from ginkgo_streams.domain.market.generic import generic
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.money import parse_cny
from ginkgo_streams.domain.registry import Registry, builtin
from ginkgo_streams.sessions import trading_calendar

MarketName = Literal["CN", "GENERIC"]
INITIAL_CASH = 1_000_000
"""CNY of a portfolio whose file has no initial_cash."""
KNOWN = ("portfolio_id", "uuid", "name", "user_id", "initial_cash", "config")
"""Keys of a portfolio's file that is more than its config."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """What may be chosen of the broker; None takes it from brokers.yml (CN) or leaves it out (GENERIC). Rates are fractions of the amount,
    the minimum is CNY an order, participation is of an update's volume."""

    commission_rate: str | None = None
    min_commission: str | None = None
    slippage_rate: float | None = None
    participation: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A backtest as a user asks for it."""

    bars: Path | Sequence[Path]
    spec: PortfolioSpec
    market: MarketName = "CN"
    fees: Fees = field(default_factory=Fees)
    start: date | None = None
    end: date | None = None
    actions: Path | None = None
    code: str | None = None
    stamp: Literal["end", "start"] = "end"
    finalize: bool = False
    short_selling: bool = False
    registry: Registry = builtin


def read_spec(path: Path, initial_cash: str | None = None) -> PortfolioSpec:
    """A portfolio from a JSON or YAML file: its config, or an object with name, initial_cash and config. initial_cash goes before the
    file's. Raises BadPortfolio."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadPortfolio(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadPortfolio(f"{path}: is neither JSON nor YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, Mapping):
        raise BadPortfolio(f"{path}: has {type(content).__name__} where an object with strategy, risk_managements and sizer is due")
    whole = "config" in content
    if whole and (unknown := [key for key in content if key not in KNOWN]):
        raise BadPortfolio(f"{path}: has an unknown key {unknown[0]!r}; known: {', '.join(KNOWN)}")
    config = content["config"] if whole else {key: value for key, value in content.items() if key not in KNOWN}
    if not isinstance(config, Mapping):
        raise BadPortfolio(f"{path}: config is {type(config).__name__}, not an object with strategy, risk_managements and sizer")
    cash = initial_cash if initial_cash is not None else content.get("initial_cash", INITIAL_CASH)
    identity = content.get("portfolio_id") or content.get("uuid") or "backtest"
    return PortfolioSpec(str(identity), str(content.get("name") or path.stem), cash, dict(config))


def make_plan(request: Request) -> Plan:
    """The plan. Raises BadPortfolio, BadBars, ConfigErrors, ValueError for fees out of range or short selling in CN."""
    check_spec(request.spec, request.registry)
    profile, rules = market(request.market, request.fees, request.short_selling)
    source = Source(
        bars=request.bars, code=request.code, start=request.start, end=request.end, actions=request.actions, stamp=request.stamp
    )  # fmt: skip
    return Plan(
        portfolios=[request.spec], bars=load_bars(source, profile), profile=profile, rules=rules, finalize=request.finalize,
        registry=request.registry,
    )  # fmt: skip


class NoShortSelling(ValueError):
    """Short selling is asked for in a market that has none."""

    def __init__(self) -> None:
        super().__init__("the A-share market (CN) is traded long only: leave out --short, or run under --market GENERIC")


class BadFees(ValueError):
    """A fee that cannot be: the text says which, and what would be right."""


def market(name: MarketName, fees: Fees, short_selling: bool = False) -> tuple[Profile, ExchangeSettings]:
    """The market and its exchange. CN: as live, with the broker of the settings. Raises BadFees, NoShortSelling, ConfigErrors."""
    if short_selling and name != "GENERIC":
        raise NoShortSelling
    rate = None if fees.commission_rate is None else _rate(fees.commission_rate)
    try:
        minimum = None if fees.min_commission is None else parse_cny(fees.min_commission)
        if name == "GENERIC":
            rules = ExchangeSettings(
                participation=inf if fees.participation is None else fees.participation, slippage_rate=fees.slippage_rate or 0.0
            )  # fmt: skip
            return generic(commission_rate=rate or Fraction(0), minimum_commission=minimum or 0, short_selling=short_selling), rules
        from ginkgo_streams.apps.exchange_rules import broker_of
        from ginkgo_streams.config import load_settings

        broker = broker_of(load_settings())
        rules = ExchangeSettings(
            participation=broker.participation if fees.participation is None else fees.participation,
            slippage_rate=float(broker.slippage_rate) if fees.slippage_rate is None else fees.slippage_rate,
        )  # fmt: skip
        default = parse_cny(str(broker.min_commission))
        return cn(
            trading_calendar(), Fraction(broker.commission_rate) if rate is None else rate, default if minimum is None else minimum
        ), rules
    except ValueError as error:
        raise BadFees(str(error)) from error


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise BadFees(f"commission rate {text!r} is no number; give a fraction of the amount, such as 0.0003") from None
    if not 0 <= rate < 1:
        raise BadFees(f"commission rate {text!r} is not between 0 and 1; 0.0003 is 0.03 %")
    return rate


def with_params(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A config with other parameters. changes: "strategy.short_period" to a value; of a risk manager "risk.NAME.parameter". Raises
    BadPortfolio for a component that is not there."""
    made = {key: value for key, value in config.items()}
    for path, value in changes.items():
        section, _, parameter = path.rpartition(".")
        if section.startswith("risk."):
            name = section.removeprefix("risk.")
            risks = list(made.get("risk_managements") or [])
            found = [i for i, risk in enumerate(risks) if isinstance(risk, Mapping) and name in (risk.get("name"), risk.get("risk_id"))]
            if len(found) != 1:
                raise BadPortfolio(f"{path}: the portfolio has {len(found)} risk managers {name!r}, one is needed")
            risks[found[0]] = _changed(risks[found[0]], parameter, value)
            made["risk_managements"] = risks
        elif section in ("strategy", "sizer", "selector"):
            if not isinstance(made.get(section), Mapping):
                raise BadPortfolio(f"{path}: the portfolio has no {section}")
            made[section] = _changed(made[section], parameter, value)
        else:
            raise BadPortfolio(f"{path!r} is no parameter; write strategy.NAME, sizer.NAME, selector.NAME or risk.RISKMANAGER.NAME")
    return made


def _changed(component: Mapping[str, Any], parameter: str, value: Any) -> dict[str, Any]:
    return {**component, "params": {**(component.get("params") or {}), parameter: value}}
