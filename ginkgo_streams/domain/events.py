"""What goes into the kernel and what comes out: plain values, times in ms, money in units of 0.0001 CNY.

Nothing here knows Kafka or JSON: `ginkgo_streams.messages` is the wire form of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

UNIT = 10_000
"""Units in one CNY: every price and amount in the kernel is an integer of 0.0001 CNY."""

BUY: Literal[1] = 1
SELL: Literal[-1] = -1

FIELDS = (
    "ts", "seq", "price", "volume", "open", "high", "low", "close",
    "prev_close", "bid", "ask", "bid_volume", "ask_volume", "interval",
)  # fmt: skip
"""Rows of `Quotes.data`. ts: ms since 1970 UTC of the event; seq: -1 where absent; prices in units, 0 where
absent; volume: shares traded since the previous update of the code (of the bar, for bars); interval: length of
the bar in ms, 0 for a tick. Of a bar, ts is its end, price its close, and open, high, low are the bar's own; of a
tick they are the day's so far."""

(
    TS, SEQ, PRICE, VOLUME, OPEN, HIGH, LOW, CLOSE, PREV_CLOSE, BID, ASK, BID_VOLUME, ASK_VOLUME, INTERVAL,
) = range(len(FIELDS))  # fmt: skip


class Quotes:
    """Price updates of several codes, in columns, in order of arrival (a code may stand in it more than once)."""

    __slots__ = ("codes", "data")

    def __init__(self, codes: tuple[str, ...], data: NDArray[np.int64]) -> None:
        """codes: n codes; data: int64 of shape (len(FIELDS), n)."""
        self.codes = codes
        self.data = data

    def __len__(self) -> int:
        return len(self.codes)


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order as a portfolio submits it. `limit` is the price in units (0: market order).

    budget: of a market order, the cash (units) that it may cost with all fees, or of a short sale that its amount and fees may come to
    (0: no such bound). It is then sized when it fills: `volume`, or less where the budget covers less at the price it fills at.
    """

    order_id: str
    portfolio_id: str
    code: str
    direction: int
    volume: int
    limit: int
    ts: int
    reason: str
    budget: int = 0


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """The wish to cancel what is left of an order."""

    order_id: str
    portfolio_id: str
    code: str
    ts: int


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """The wish that a portfolio, with all of its slot, runs on a node. ts: of the command, ms; the newest of a slot counts."""

    portfolio_id: str
    node_id: str
    ts: int
    issued_by: str = ""


ReportKind = Literal["ack", "partially_filled", "filled", "cancelled", "rejected", "expired"]


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the exchange says of an order. `report_seq` counts 1, 2, 3 … per order.

    `volume`, `price`, `amount` and the fees are those of this fill (units of 0.0001 CNY; volume in shares).
    """

    kind: ReportKind
    order_id: str
    portfolio_id: str
    report_seq: int
    ts: int
    code: str = ""
    direction: int = 0
    trade_id: str = ""
    volume: int = 0
    cumulative: int = 0
    remaining: int = 0
    price: int = 0
    amount: int = 0
    commission: int = 0
    stamp_duty: int = 0
    transfer_fee: int = 0
    reason_code: str = ""
    message: str = ""


PER = 1_000_000
"""Figures of a corporate action are for this many shares: exact for six decimals a share and more."""


class CorporateAction(msgspec.Struct, frozen=True, kw_only=True):
    """A dividend, a split or both, in force before the first trade of its ex-date.

    day: the ex-date (ordinal). cash: units paid before tax for 1,000,000 shares. split: shares there are afterwards for 1,000,000.
    """

    code: str
    day: int
    cash: int = 0
    split: int = PER

    def income(self, volume: int) -> int:
        """Units paid for `volume` shares, rounded half up."""
        return (2 * volume * self.cash + PER) // (2 * PER)

    def volume(self, volume: int) -> int:
        """Shares that `volume` become; what is less than a share is lost."""
        return volume * self.split // PER

    def price(self, price: int) -> int:
        """The price (units, at least 1) that is worth after the ex-date what `price` was before it, rounded half up."""
        numerator = 2 * (price * PER - self.cash) + self.split
        return max(numerator // (2 * self.split), 1)


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A control command. `command_id` makes it idempotent."""

    command_id: str
    command_type: str
    target_id: str
    params: Mapping[str, Any]
    ts: int
    issued_by: str = ""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person should know. `alert_id` is derived from the cause, so a replay repeats it, not doubles it."""

    alert_id: str
    alert_type: str
    severity: Literal["info", "warning", "critical"]
    source: str
    message: str
    details: Mapping[str, Any]
    ts: int


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A line for the log of the node: `text` as the quickstart words it, e.g. "Signal generated: BUY 000001.SZ, volume=1000"."""

    portfolio_id: str
    text: str
    level: Literal["debug", "info", "warning"] = "info"
