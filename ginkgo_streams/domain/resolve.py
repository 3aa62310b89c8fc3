"""Which of the signals of one event stand (trading rules, 1.5): risk over strategy, sell over buy, not stale, not again so soon."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ginkgo_streams.domain.component import Signal
from ginkgo_streams.domain.config import Kit
from ginkgo_streams.domain.events import SELL
from ginkgo_streams.domain.portfolio import Portfolio

Named = tuple[Signal, str, bool]
"""A signal, the name of the component that gave it, and whether a risk manager forces it."""


def resolve(
    portfolio: Portfolio, kit: Kit, signals: Iterable[Named], now: int, interval: Callable[[str], int], drop: Callable[[Signal, str], None]
) -> list[Named]:
    """The signals that stand, in order. now: newest event time, ms. interval: the length of a code's bar, ms (0: tick).

    Each signal that does not stand goes to `drop` with the reason. Those that stand are noted with their time.
    """
    signals = list(signals)
    forced = {signal.code for signal, _, is_forced in signals if is_forced}
    sells = {signal.code for signal, _, _ in signals if signal.direction == SELL}
    standing: list[Named] = []
    for named in signals:
        signal, _, is_forced = named
        key = f"{signal.code}{'-' if signal.direction == SELL else '+'}"
        last = portfolio.last_signals.get(key)
        if signal.code in forced and not is_forced:
            drop(signal, "risk_overrides")
        elif signal.direction != SELL and signal.code in sells:
            drop(signal, "sell_stands")
        elif now - signal.ts > kit.max_age + interval(signal.code):
            drop(signal, "stale")
        elif last is not None and signal.ts - last < kit.min_interval:
            drop(signal, "too_soon")
        else:
            portfolio.last_signals.pop(key, None)  # so that the dict stays in order of time, and is cheap to clean from its front
            portfolio.last_signals[key] = signal.ts
            standing.append(named)
    _forget(portfolio.last_signals, now - kit.min_interval - kit.max_age)
    return standing


def _forget(last_signals: dict[str, int], before: int) -> None:
    """Forget signals that can hold nothing back any more: the value stays small."""
    while last_signals:
        first = next(iter(last_signals))
        if last_signals[first] >= before:
            return
        del last_signals[first]
