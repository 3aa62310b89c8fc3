"""Which of the signals of one event stand (trading rules, 1.5): risk over strategy, sell over buy, not stale, not again so soon."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ginkgo_streams.domain.component import Signal
from ginkgo_streams.domain.config import Kit
from ginkgo_streams.domain.events import SELL
from ginkgo_streams.domain.portfolio import Portfolio

BACKLOG = 3_600_000
"""ms that a code's updates may be behind the newest of the slot with its last signals still known."""

Named = tuple[Signal, str, bool]
"""A signal, the name of the component that gave it, and whether a risk manager forces it."""


def resolve(
    portfolio: Portfolio, kit: Kit, signals: Iterable[Named], now: int, update: Callable[[str], tuple[int, int]],
    drop: Callable[[Signal, str], None],
) -> list[Named]:  # fmt: skip
    """The signals that stand, in order. now: newest event time, ms. update: the time of a code's update in this event, ms, and the
    length of its bar, ms (0: tick).

    A signal's age is counted from the update that it comes from, not from `now`: codes come in several partitions, of which one may
    be read from a backlog while the clock of another is far ahead. Each signal that does not stand goes to `drop` with the reason.
    Those that stand are noted with their time.
    """
    signals = list(signals)
    forced = {signal.code for signal, _, is_forced in signals if is_forced}
    sells = {signal.code for signal, _, is_forced in signals if signal.direction == SELL and (is_forced or signal.code not in forced)}
    standing: list[Named] = []
    for named in signals:
        signal, _, is_forced = named
        key = f"{signal.code}{'-' if signal.direction == SELL else '+'}"
        last = portfolio.last_signals.get(key)
        moment, interval = update(signal.code)
        if signal.code in forced and not is_forced:
            drop(signal, "risk_overrides")
        elif signal.direction != SELL and signal.code in sells:
            drop(signal, "sell_stands")
        elif moment - signal.ts > kit.max_age + interval:
            drop(signal, "stale")
        elif last is not None and signal.ts - last < kit.min_interval:
            drop(signal, "too_soon")
        else:
            portfolio.last_signals.pop(key, None)  # so that the dict stays in order of time, and is cheap to clean from its front
            portfolio.last_signals[key] = signal.ts
            standing.append(named)
    _forget(portfolio.last_signals, now - kit.min_interval - BACKLOG)
    return standing


def _forget(last_signals: dict[str, int], before: int) -> None:
    """Forget signals that can hold nothing back any more: the value stays small."""
    while last_signals:
        first = next(iter(last_signals))
        if last_signals[first] >= before:
            return
        del last_signals[first]
