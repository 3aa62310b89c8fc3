"""The auditor's own reading of the wire: orders, reports and portfolio snapshots, money as integers of 0.0001 CNY.

Written from the contracts alone. It imports nothing of the ledger, the kernel or their messages: a mistake there must not
be able to hide here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

_Count = Annotated[int, msgspec.Meta(gt=0)]
_Natural = Annotated[int, msgspec.Meta(ge=0)]
_Version = Annotated[int, msgspec.Meta(ge=1, le=1)]


class Unreadable(ValueError):
    """A record that is no message of ours. Its readers put it on the dead-letter topic, so it has no effect to audit."""


class Raw(NamedTuple):
    """A record as Kafka keeps it."""

    partition: int
    offset: int
    value: bytes | None


class _Wire(msgspec.Struct, kw_only=True, frozen=True, tag_field="event_type"):
    v: _Version = msgspec.field(name="_v")


class Claim(_Wire, tag="claim", kw_only=True, frozen=True):
    """A change of owner of a slot."""

    slot: int
    epoch: int


class Submission(_Wire, tag="order_submission", kw_only=True, frozen=True):
    """An order."""

    order_id: str
    portfolio_id: str
    code: str
    direction: Literal[1, -1]
    volume: _Count
    order_type: Literal["limit", "market"]
    price: Decimal | None = None
    slot: int = -1
    epoch: int = -1


class Cancel(_Wire, tag="order_cancel", kw_only=True, frozen=True):
    """A wish to cancel: moves nothing by itself."""

    slot: int = -1
    epoch: int = -1


class Report(_Wire, kw_only=True, frozen=True):
    """What the exchange says of an order; `kind` is its event_type."""

    order_id: str
    portfolio_id: str
    report_seq: _Count
    slot: int = -1
    epoch: int = -1


class Ack(Report, tag="order_ack", kw_only=True, frozen=True):
    """Taken."""


class Fill(Report, kw_only=True, frozen=True):
    """A fill."""

    trade_id: str
    code: str
    direction: Literal[1, -1]
    filled_volume: _Count
    cumulative_volume: _Count
    remaining_volume: _Natural
    filled_price: Decimal
    filled_amount: Decimal
    commission: Decimal
    stamp_duty: Decimal
    transfer_fee: Decimal


class PartialFill(Fill, tag="order_partially_filled", kw_only=True, frozen=True):
    """A fill that leaves something."""


class LastFill(Fill, tag="order_filled", kw_only=True, frozen=True):
    """The fill that ends the order."""


class Cancelled(Report, tag="order_cancelled", kw_only=True, frozen=True):
    """An end."""


class Rejected(Report, tag="order_rejected", kw_only=True, frozen=True):
    """An end."""


class Expired(Report, tag="order_expired", kw_only=True, frozen=True):
    """An end."""


END = (LastFill, Cancelled, Rejected, Expired)


class LedgerLine(msgspec.Struct, kw_only=True, frozen=True):
    """What a portfolio has booked in one code."""

    code: str
    bought_volume: int = 0
    sold_volume: int = 0
    bought_amount: Decimal = Decimal(0)
    sold_amount: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    stamp_duty: Decimal = Decimal(0)
    transfer_fee: Decimal = Decimal(0)


class Position(msgspec.Struct, kw_only=True, frozen=True):
    """What a portfolio holds of one code."""

    code: str
    direction: int
    volume: int


class OpenOrder(msgspec.Struct, kw_only=True, frozen=True):
    """An order that a portfolio holds for open."""

    order_id: str


class Portfolio(msgspec.Struct, kw_only=True, frozen=True):
    """A portfolio's own account of itself: its snapshot."""

    v: _Version = msgspec.field(name="_v")
    portfolio_id: str
    epoch: int
    seq: int
    initial_cash: Decimal
    cash: Decimal
    frozen: Decimal
    fees: Decimal
    positions: list[Position]
    open_orders: list[OpenOrder]
    orders: int
    fills: int
    ledger: list[LedgerLine]


_Reports = Ack | PartialFill | LastFill | Cancelled | Rejected | Expired
_order_decoder = msgspec.json.Decoder(Claim | Submission | Cancel)
_report_decoder = msgspec.json.Decoder(Claim | _Reports)
_portfolio_decoder = msgspec.json.Decoder(Portfolio)


class Counts:
    """What was seen on the way and has no effect."""

    def __init__(self) -> None:
        self.fenced = 0
        self.unreadable = 0


_GREATEST = Decimal(10) ** 18
"""No sum of money here comes near; a number like 1e999999999 would take all memory as an integer."""


def units(value: Decimal) -> int:
    """CNY to integers of 0.0001 CNY. Raises Unreadable for more than four decimals, and for what is no sum of money."""
    if not value.is_finite() or abs(value) > _GREATEST:
        raise Unreadable(f"{value} is no sum of money")
    scaled = value * 10_000
    if scaled != scaled.to_integral_value():
        raise Unreadable(f"{value} CNY has more than four decimals")
    return int(scaled)


def counted_orders(raws: Iterable[Raw], counts: Counts) -> Iterator[Submission]:
    """The submissions that count, in order of partition and offset."""
    return (message for message in _counted(raws, _order_decoder, counts) if isinstance(message, Submission))


def counted_reports(raws: Iterable[Raw], counts: Counts) -> Iterator[Report]:
    """The reports that count, in order of partition and offset."""
    return (message for message in _counted(raws, _report_decoder, counts) if isinstance(message, Report))


def _counted(raws: Iterable[Raw], decoder: msgspec.json.Decoder[Any], counts: Counts) -> Iterator[Any]:
    """What is not fenced off: a claim makes everything behind it, in its partition, with a lower epoch of its slot not count."""
    greatest: dict[tuple[int, int], int] = {}
    for raw in sorted(raws, key=lambda raw: (raw.partition, raw.offset)):
        try:
            message = decoder.decode(raw.value or b"")
            _check_money(message)
        except (msgspec.DecodeError, UnicodeDecodeError, Unreadable):
            counts.unreadable += 1
            continue
        place = (raw.partition, message.slot)
        if isinstance(message, Claim):
            greatest[place] = max(message.epoch, greatest.get(place, -1))
        elif message.epoch < greatest.get(place, -1):
            counts.fenced += 1
        else:
            yield message


def _check_money(message: Any) -> None:
    """Refuse what a reader of ours refuses: money with more than four decimals, a limit order without a price."""
    for part in [message, *message.ledger] if isinstance(message, Portfolio) else [message]:
        for value in msgspec.structs.asdict(part).values():
            if isinstance(value, Decimal):
                units(value)
    if isinstance(message, Submission) and (message.order_type == "limit") != (message.price is not None):
        raise Unreadable(f"order {message.order_id}: a limit order has a price, a market order has none")


def portfolio(value: bytes | None) -> Portfolio:
    """A snapshot. Raises Unreadable."""
    try:
        account: Portfolio = _portfolio_decoder.decode(value or b"")
        _check_money(account)
        return account
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from error


def content(message: Submission | Report) -> dict[str, Any]:
    """All that a message says but who sent it: what two copies of one message have to agree in."""
    said = msgspec.structs.asdict(message)
    return {"event_type": type(message).__name__} | {name: value for name, value in said.items() if name not in ("slot", "epoch")}
