"""Two results side by side: where their trades, their equity, their configs and their figures differ."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from ginkgo_streams.backtest.result import Result, Trade
from ginkgo_streams.messages import Number

Fill = tuple[str, str, str, int, Number]
"""Time, code, side, volume, price."""


class EquityDifference(msgspec.Struct, frozen=True):
    """The total value of one day; None where a result does not have the day."""

    date: str
    first: Number | None
    second: Number | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """only_first, only_second: trades that the other does not have. config: path to the two values; statistics: name to both."""

    same: bool
    only_first: list[Fill]
    only_second: list[Fill]
    common_trades: int
    equity: list[EquityDifference]
    config: dict[str, list[Any]]
    statistics: dict[str, list[Any]]


def compare(first: Result, second: Result) -> Comparison:
    """The differences. Trades are the same where time, code, side, volume and price are."""
    one, other = Counter(map(_fill, first.trades)), Counter(map(_fill, second.trades))
    values = [{row.date: row.total_value for row in result.equity} for result in (first, second)]
    days = sorted(values[0].keys() | values[1].keys())
    equity = [EquityDifference(d, values[0].get(d), values[1].get(d)) for d in days if values[0].get(d) != values[1].get(d)]
    figures = [msgspec.structs.asdict(result.statistics) for result in (first, second)]
    only_first, only_second = sorted((one - other).elements()), sorted((other - one).elements())
    return Comparison(
        same=not (only_first or only_second or equity), only_first=only_first, only_second=only_second,
        common_trades=(one & other).total(), equity=equity, config=_different(_flat(first.config), _flat(second.config)),
        statistics=_different(*figures),
    )  # fmt: skip


def comparison_lines(names: tuple[str, str], found: Comparison, most: int = 20) -> list[str]:
    """The differences in words, at most `most` of a kind."""
    if found.same and not found.config:
        return [f"{names[0]} and {names[1]} are the same: {found.common_trades} trades, every day's equity"]
    lines = [
        f"{found.common_trades} trades are in both, {len(found.only_first)} only in {names[0]}, {len(found.only_second)} only in {names[1]}"
    ]
    for sign, fills in (("-", found.only_first), ("+", found.only_second)):
        lines += [f"{sign} {time} {side} {volume} {code} @ {price}" for time, code, side, volume, price in fills[:most]]
        lines += [f"{sign} … and {len(fills) - most} more"] if len(fills) > most else []
    if found.equity:
        first = found.equity[0]
        lines.append(f"Equity differs on {len(found.equity)} days, first on {first.date}: {first.first} and {first.second}")
    lines += [f"Config {path}: {one} and {other}" for path, (one, other) in found.config.items()]
    lines += [f"{name}: {_short(one)} and {_short(other)}" for name, (one, other) in found.statistics.items()]
    return lines


def _fill(trade: Trade) -> Fill:
    return trade.time, trade.code, trade.side, trade.volume, trade.price


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {key: each for name in value for key, each in _flat(value[name], f"{path}.{name}" if path else str(name)).items()}
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        return {key: each for i, part in enumerate(value) for key, each in _flat(part, f"{path}[{i}]").items()}
    return {path: value}


def _different(first: dict[str, Any], second: dict[str, Any]) -> dict[str, list[Any]]:
    return {key: [first.get(key), second.get(key)] for key in {**first, **second} if first.get(key) != second.get(key)}


def _short(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
