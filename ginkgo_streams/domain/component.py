"""The contract of components: what a strategy, risk manager, sizer or selector is given, and what it answers.

A component is a class with `kind`, `component_id`, `Params` (a frozen msgspec Struct whose fields have bounds,
defaults and a description with the unit) and `__init__(params)`. It is pure: no clock, no random, no I/O. What it must
remember it keeps in the dict it is given, which lives with the portfolio; what follows from prices it reads from the windows.
An exception puts the portfolio into `error`, and only that one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.domain.events import BUY

if TYPE_CHECKING:
    from ginkgo_streams.domain.account import Account
    from ginkgo_streams.domain.batch import Batch
    from ginkgo_streams.domain.events import CorporateAction

Kind = Literal["strategy", "risk", "sizer", "selector"]


NEAR = 1e-6
"""Percent, or other figures of the size of 1 to 100, within which prospects count: floats in columns may end in other digits."""


class Signal(msgspec.Struct, frozen=True):
    """The wish to trade a code. `ts`: event time of the price it came from. `volume` 0: a buy is sized by the sizer, a sell
    closes all that is available. Make it with the values of the batch, e.g. `Signal(code, BUY, ts, "golden cross")`.

    In a market with short selling a sell of what is not held opens a short, and is sized; a buy of a code sold short closes it."""

    code: str
    direction: int
    ts: int
    reason: str
    volume: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A position at the price of this event. Volumes in shares, money in units of 0.0001 CNY.

    volume: negative for a short. available: may be sold now (T+1, less what open sells hold), or bought back of a short. cost: what the
    shares cost, of a short what they were sold for; without fees. days: trading days since the position was opened (0: today).
    """

    code: str
    volume: int
    available: int
    cost: int
    price: int
    ts: int
    days: int = 0

    @property
    def gain_percent(self) -> float:
        """Gain on cost in percent, negative for a loss."""
        gain = self.price * self.volume - self.cost if self.volume >= 0 else self.cost + self.price * self.volume
        return gain * 100 / self.cost if self.cost else 0.0

    def gains_percent(self, prices: NDArray[np.int64]) -> NDArray[np.float64]:
        """`gain_percent` at each of prices, to some digits: shape of prices."""
        return np.asarray((prices * self.volume - self.cost) * (100 / self.cost if self.cost else 0.0), np.float64)


@dataclass(frozen=True, slots=True)
class Proposal:
    """An order about to be made. price: last price; limit: its limit price; low, high: the day's price limits (0: none). Units."""

    code: str
    direction: int
    volume: int
    price: int
    limit: int
    low: int
    high: int
    ts: int
    forced: bool
    affordable: Callable[[int, int], int]
    """(budget in units, most shares) -> the largest valid volume whose limit price and fees stay within the budget."""
    short: bool = False
    """Of a short position: a sell that opens it or adds to it, a buy that closes it."""

    @property
    def opens(self) -> bool:
        """Whether it opens a position or adds to it; else it closes one."""
        return (self.direction == BUY) != self.short


@dataclass(frozen=True, slots=True)
class Verdict:
    """A risk manager's answer: the volume it lets through (never more than proposed; 0 blocks) and why it is less."""

    volume: int
    reason: str = ""


class Strategy(Protocol):
    """Finds signals in a batch of updates.

    Optional: `interval` (see `bars.Interval`; default "tick", each update as it comes), and `needs() -> Iterable[Need]` for what it
    looks at beside the closes of its own interval.
    """

    def history(self) -> int:
        """Closes of a code (of its interval) that it needs before its first signal; the windows are kept that deep."""

    def signals(self, batch: Batch, account: Account, state: dict[str, Any]) -> Iterable[Signal]:
        """Called once a batch with the watched codes that were updated (each once); for bars, those of which one is complete.

        `state`: small, kept with the portfolio.
        """


class Foreseeing(Protocol):
    """A strategy that can say of a whole series where it could signal: a backtest passes over the rest. It looks at closes and volumes
    alone (interval "tick"), buys only a code of which nothing is held or pending, sells only what is held, and keeps no state."""

    def prospects(self, closes: NDArray[np.int64], volumes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """closes, volumes: of one code, oldest first, int64 of shape (n,). Where it could buy, and where it could sell, behind each of
        them: bool of shape (n,) each. Too many are allowed, too few are not."""


class ForeseeingForce(Protocol):
    """A risk manager that can say at which prices `force` could do something: a backtest passes over the rest."""

    def force_prospects(self, held: Held, prices: NDArray[np.int64], memo: Mapping[str, Any]) -> NDArray[np.bool_]:
        """held: a position as it is at the first of prices, and is but for the price at the others, of the same day; prices: int64 of shape
        (n,); memo: as it is now. Where `force` could signal, or change the memo: bool of shape (n,). Too many are allowed."""


class ForeseeingWatch(Protocol):
    """A risk manager that can say at which values of the portfolio `watch` could do something: a backtest passes over the rest. Only the
    value moves it, the same value again does not, and it sells nothing that is not held."""

    def watch_prospects(self, values: NDArray[np.int64], memo: Mapping[str, Any]) -> NDArray[np.bool_]:
        """values: of the portfolio, units, int64 of shape (n,); memo: as it is now. Where `watch` could signal, or change the memo: bool
        of shape (n,). Too many are allowed."""


class RiskManager(Protocol):
    """Forces sells and judges orders. It defines at least one of these three; `needs() -> Iterable[Need]` is optional.

    What it forces closes a position: of one that is short its sell is made a buy.

    `memo` is a small dict that lives with the portfolio: in `watch` and `check` one of the whole portfolio, kept until it is started
    anew; in `force` one of the position, kept until that is closed. One that keeps prices or volumes of a position defines `Restating`.
    """

    def watch(self, account: Account, memo: dict[str, Any]) -> Iterable[Signal]:
        """Called once a batch, after the prices were taken: sells that it forces, whatever code they are of."""

    def force(self, held: Held, memo: dict[str, Any]) -> Signal | None:
        """Called at each update of a held code of which something is available: the sell that it forces, or None."""

    def check(self, proposal: Proposal, account: Account, memo: dict[str, Any]) -> Verdict:
        """Called for each order in turn, with the volume that the risk managers before it have left; earlier orders of the same
        event are in the account already."""


@runtime_checkable
class Restating(Protocol):
    """A risk manager whose memos of positions hold prices or volumes, which a dividend or a split changes."""

    def restate(self, memo: dict[str, Any], action: CorporateAction) -> None:
        """Called on the ex-date, before its first price: bring what `memo` holds to what it is worth behind it."""


class Sizer(Protocol):
    """Says how much to buy, or to sell short. `needs() -> Iterable[Need]` is optional."""

    def volume(self, proposal: Proposal, account: Account) -> int:
        """Shares, before rounding to the lot. `proposal.volume` is 0."""


class Selector(Protocol):
    """Says which codes to watch. `needs() -> Iterable[Need]` (of "1d") is optional, and so is

    `select(market: History) -> Iterable[str]`: called with the first update of each trading day, with the daily bars before it of all
    of `codes()`; what it answers is watched that day, and what is held. A code that was not chosen is not bought (nor sold short).
    """

    def codes(self) -> tuple[str, ...] | None:
        """The codes; None for all."""
