"""The wire form of every message: JSON that the outside world sees, and the few internal ones.

Prices and money are JSON numbers with at most four decimals; inside they are integers of 0.0001 CNY
(`units`, `number`). Times are RFC 3339 UTC with milliseconds; inside they are ms since 1970 (`ms`, `iso`).
Unknown fields are ignored; an unknown `_v`, `event_type` or a value out of range raises `BadMessage`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from ginkgo_streams.domain import events as d
from ginkgo_streams.domain import halts as h

Number = int | float
Version = Annotated[int, msgspec.Meta(ge=1, le=1)]
Code = Annotated[str, msgspec.Meta(pattern=r"^\d{6}\.(SZ|SH|BJ)$")]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Interval = Literal["tick", "1m", "5m", "1d"]
INTERVALS: dict[Interval, int] = {"tick": 0, "1m": 60_000, "5m": 300_000, "1d": 86_400_000}
"""How long they are, ms."""


class BadMessage(ValueError):
    """Bytes that are no message of ours: the text says which field, and what is wrong with it."""


def units(value: float) -> int:
    """CNY to integers of 0.0001 CNY. Raises BadMessage for more than four decimals."""
    scaled = value * d.UNIT
    whole = round(scaled)
    if abs(scaled - whole) > 1e-4 + abs(scaled) * 1e-12:
        raise BadMessage(f"{value!r} CNY has more than four decimals; round it to 0.0001")
    return whole


def number(value: int) -> Number:
    """Integers of 0.0001 CNY to the JSON number."""
    return value // d.UNIT if value % d.UNIT == 0 else value / d.UNIT


def ms(text: str) -> int:
    """RFC 3339 to ms since 1970 UTC. Raises BadMessage where the text is no time or has no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadMessage(f"timestamp {text!r} is no RFC 3339 time") from error
    if moment.tzinfo is None:
        raise BadMessage(f"timestamp {text!r} has no time zone; write it in UTC with a Z")
    return round(moment.timestamp() * 1000)


def iso(value: int) -> str:
    """Ms since 1970 UTC to RFC 3339 with milliseconds."""
    return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _version() -> int:
    return 1  # a factory, not a default: `omit_defaults` would leave the version out


class Message(msgspec.Struct, kw_only=True, tag_field="event_type"):
    """What all public messages carry."""

    v: Version = msgspec.field(name="_v", default_factory=_version)
    timestamp: str


# ---- market data -----------------------------------------------------------------------------------------------


class PriceUpdate(Message, tag="price_update", kw_only=True, omit_defaults=True):
    """One price of one code: a tick, or a bar (`interval`), of which `timestamp` is the end and `price` the close.

    `volume`: shares traded since the previous update of the code (of the bar, for bars). `seq`: monotone per code.
    """

    code: Code
    price: Positive
    market: Literal["CN", "HK", "US", "FUTURES"] = "CN"
    volume: Natural = 0
    open: Positive | None = None
    high: Positive | None = None
    low: Positive | None = None
    close: Positive | None = None
    prev_close: Positive | None = None
    bid_price: Positive | None = None
    ask_price: Positive | None = None
    bid_volume: Natural | None = None
    ask_volume: Natural | None = None
    seq: Natural | None = None
    interval: Interval = "tick"


class ClockTick(Message, tag="clock", kw_only=True):
    """Event time of the feed, once a second, on every partition of the market data topic."""


class Ticks(msgspec.Struct, array_like=True):
    """Internal, router to portfolios: the updates for one slot, in columns, and the clock (0: none)."""

    clock: int
    codes: tuple[str, ...]
    data: bytes
    v: Version = 1

    def quotes(self) -> d.Quotes:
        """The columns as the kernel takes them."""
        return d.Quotes(self.codes, np.frombuffer(self.data, np.int64).reshape(len(d.FIELDS), len(self.codes)))

    def follows(self, first: Ticks, span_ms: int) -> bool:
        """Whether all of this is within a span of event time behind the first update of another batch (or has no prices)."""
        if not self.codes or not first.codes:
            return True
        start = int(np.frombuffer(first.data, np.int64, count=1)[0])
        times = np.frombuffer(self.data, np.int64, count=len(self.codes))
        return int(times.max()) - start <= span_ms

    @classmethod
    def joined(cls, batches: list[Ticks]) -> Ticks:
        """Batches in a row as one; only the last may have a clock."""
        if len(batches) == 1:
            return batches[0]
        codes = tuple(code for ticks in batches for code in ticks.codes)
        data = np.concatenate([ticks.quotes().data for ticks in batches], axis=1)
        return cls(batches[-1].clock, codes, np.ascontiguousarray(data).tobytes())

    @classmethod
    def of(cls, quotes: d.Quotes, clock: int = 0) -> Ticks:
        """The wire form of quotes."""
        return cls(clock, quotes.codes, np.ascontiguousarray(quotes.data).tobytes())


# ---- orders ----------------------------------------------------------------------------------------------------


class Claim(Message, tag="claim", kw_only=True):
    """A change of owner: what carries a lower epoch of this source behind it does not count.

    `epoch` is the consumer group's generation (on top of a base that outlives the group). A claim below an earlier one of
    its source comes from an owner that was stopped between its assignment and its claim, and does not count either: by
    its own offset, as an epoch, it would have fenced the rightful owner.
    """

    node_id: str
    slot: int
    epoch: int


class OrderSubmission(Message, tag="order_submission", kw_only=True):
    """An order, once or again: `order_id` is the idempotency key everywhere."""

    order_id: Id
    portfolio_id: Id
    code: Code
    direction: Literal[1, -1]
    volume: Annotated[int, msgspec.Meta(gt=0)]
    order_type: Literal["limit", "market"]
    price: Positive | None = None
    reason: str = ""
    slot: int = -1
    epoch: int = -1


class OrderCancel(Message, tag="order_cancel", kw_only=True):
    """The wish to cancel what is left of an order."""

    order_id: Id
    portfolio_id: Id
    code: Code
    slot: int = -1
    epoch: int = -1


class _Report(Message, kw_only=True):
    order_id: Id
    portfolio_id: Id
    report_seq: Annotated[int, msgspec.Meta(ge=1)]
    slot: int = -1
    epoch: int = -1


class OrderAck(_Report, tag="order_ack", kw_only=True):
    """The exchange has the order."""

    status: Literal["acknowledged"] = "acknowledged"


class _Fill(_Report, kw_only=True):
    trade_id: Id
    code: Code
    direction: Literal[1, -1]
    filled_volume: Annotated[int, msgspec.Meta(gt=0)]
    cumulative_volume: Annotated[int, msgspec.Meta(gt=0)]
    remaining_volume: Natural
    filled_price: Positive
    filled_amount: float
    commission: float
    stamp_duty: float
    transfer_fee: float


class OrderPartiallyFilled(_Fill, tag="order_partially_filled", kw_only=True):
    """A fill that leaves something open."""


class OrderFilled(_Fill, tag="order_filled", kw_only=True):
    """The fill that ends the order."""


class OrderCancelled(_Report, tag="order_cancelled", kw_only=True):
    """What was left is cancelled."""


class OrderRejected(_Report, tag="order_rejected", kw_only=True):
    """The order never stood in the book."""

    reason_code: str
    message: str


class OrderExpired(_Report, tag="order_expired", kw_only=True):
    """The day ended with something left."""


MarketMessage = PriceUpdate | ClockTick
OrderMessage = Claim | OrderSubmission | OrderCancel
Feedback = Claim | OrderAck | OrderPartiallyFilled | OrderFilled | OrderCancelled | OrderRejected | OrderExpired


# ---- control, alerts, events -----------------------------------------------------------------------------------


class ControlCommand(msgspec.Struct, kw_only=True, rename={"v": "_v"}):
    """A control command; the same `command_id` twice has the effect of once."""

    v: Version = 1
    command_id: Id
    command_type: Literal[
        "portfolio.create", "portfolio.start", "portfolio.stop", "portfolio.reload", "portfolio.delete", "portfolio.migrate",
        "order.cancel", "engine.start", "engine.stop",
    ]  # fmt: skip
    target_id: Id
    params: dict[str, Any] = {}
    timestamp: str
    issued_by: str = ""


class Alert(msgspec.Struct, kw_only=True, rename={"v": "_v"}):
    """An alert as the topic carries it."""

    v: Version = 1
    alert_id: Id
    alert_type: str
    severity: Literal["info", "warning", "critical"]
    source: str
    message: str
    details: dict[str, Any] = {}
    timestamp: str


class NodeOnline(Message, tag="node.online", kw_only=True):
    """A node is ready."""

    node_id: str


class NodeOffline(Message, tag="node.offline", kw_only=True):
    """A node has left."""

    node_id: str
    reason: str = ""


class InterestUpdate(Message, tag="interest.update", kw_only=True):
    """The codes a slot wants ("*" stands for all), and its portfolios but the deleted ones: how many, and their ids. Its owner says
    so when it has loaded the slot and takes events, and when it changes. Newest by (epoch, seq) counts."""

    slot: int
    codes: list[str]
    portfolios: int
    node_id: str
    epoch: int
    seq: int
    portfolio_ids: list[str] = []


class ScheduleUpdate(Message, tag="schedule_update", kw_only=True):
    """A pin (slot to node), a disabled node, a halt (`subject`: its target, `value`: its number, `mode`, `command_id`), the base of
    an app's epochs (`value`), the fees of the broker (`commission_rate`: of the amount; `value`: minimum per order, 0.0001 CNY), or
    that a node's standby copies are up to date (`value`: in which generation of the group); `active` false takes it back.
    Key: "kind:subject"."""

    kind: Literal["pin", "disabled", "halt", "epoch", "rebalance", "node", "fees", "copies"]
    subject: str
    node_id: str = ""
    value: int = 0
    active: bool = True
    reason: str = ""
    issued_by: str = ""
    mode: h.Mode = "halt"
    command_id: str = ""
    commission_rate: str = ""


def schedule_key(update: ScheduleUpdate) -> bytes:
    """The key of a schedule update on its topic."""
    return f"{update.kind}:{update.subject}".encode()


def pin(slot: int, node_id: str, timestamp: str, *, reason: str = "", issued_by: str = "") -> ScheduleUpdate:
    """A slot is to run on a node. Of the pins of a slot the one with the newest timestamp counts."""
    return ScheduleUpdate(timestamp=timestamp, kind="pin", subject=str(slot), node_id=node_id, reason=reason, issued_by=issued_by)


class HaltSeen(msgspec.Struct, kw_only=True):
    """How far a partition of the exchange is with a target: the number of the change it has, and the open orders that this ended."""

    target: str
    seq: int
    ended: int


class WaitingOrder(msgspec.Struct, kw_only=True):
    """An order that a halt is to end and that is still open."""

    order_id: str
    portfolio_id: str
    code: str


class ExchangeHalts(Message, tag="exchange_halts", kw_only=True):
    """Internal: which halts a partition of the exchange has carried out, durably. Key: the partition. What comes behind a claim of a
    greater epoch under the same key does not count."""

    slot: int
    epoch: int
    halts: list[HaltSeen]
    waiting: list[WaitingOrder]


SystemEvent = NodeOnline | NodeOffline | InterestUpdate


class PositionView(msgspec.Struct, kw_only=True):
    """One position in a snapshot. Money in CNY."""

    code: str
    direction: int
    volume: int
    available_volume: int
    cost_price: Number
    current_price: Number
    market_value: Number
    profit_loss: Number


class LedgerLine(msgspec.Struct, kw_only=True):
    """What a portfolio has booked in one code since it began, cumulative. Volumes in shares, money in CNY, all >= 0."""

    code: str
    bought_volume: int = 0
    sold_volume: int = 0
    bought_amount: Number = 0
    sold_amount: Number = 0
    commission: Number = 0
    stamp_duty: Number = 0
    transfer_fee: Number = 0


class VersionView(msgspec.Struct, kw_only=True):
    """A version of a config: who made it, when and why, and what in the config before it stood where it differs. `undo`: (path, what
    stood there in a list of one, or an empty list for nothing)."""

    version: int
    timestamp: str
    issued_by: str
    reason: str
    undo: list[tuple[list[str | int], list[Any]]] = []


class Snapshot(msgspec.Struct, kw_only=True, rename={"v": "_v"}):
    """Internal: a portfolio as people and databases see it. The newest by (epoch, seq) counts."""

    v: Version = 1
    portfolio_id: str
    epoch: int
    seq: int
    node_id: str
    slot: int
    name: str
    user_id: str
    status: str
    config: dict[str, Any]
    version: int
    initial_cash: Number
    cash: Number
    frozen: Number
    total_value: Number
    fees: Number
    positions: list[PositionView]
    open_orders: list[dict[str, Any]]
    closed_orders: list[dict[str, Any]] = []
    orders: int
    fills: int
    ledger: list[LedgerLine] = []
    drops: dict[str, int]
    transitions: list[dict[str, Any]]
    versions: list[VersionView] = []
    refusals: list[dict[str, Any]] = []
    history: list[dict[str, Any]]
    error: str = ""
    created_at: str
    updated_at: str


_encoder = msgspec.json.Encoder()
_market_one: msgspec.json.Decoder[MarketMessage] = msgspec.json.Decoder(MarketMessage)
_market_many: msgspec.json.Decoder[list[MarketMessage]] = msgspec.json.Decoder(list[MarketMessage])
_parts: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_ticks_encoder = msgspec.msgpack.Encoder()
_ticks_decoder = msgspec.msgpack.Decoder(Ticks)


def encode(message: Any) -> bytes:
    """The bytes of a message, or of a list of price updates."""
    return _encoder.encode(message)


def decode(data: bytes | None, kind: Any) -> Any:
    """A message of a kind (a struct or a union of them). Raises BadMessage."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    return _decoded(data, decoder)


def decode_market(data: bytes | None) -> list[MarketMessage]:
    """Market data: one object or an array of them. Raises BadMessage for the whole value."""
    if data is not None and data.lstrip()[:1] == b"[":
        return _decoded(data, _market_many)  # type: ignore[no-any-return]
    return [_decoded(data, _market_one)]


def market_parts(data: bytes) -> list[bytes] | None:
    """The elements of an array of market data, each as its bytes; None where the value is no array."""
    try:
        return [bytes(part) for part in _parts.decode(data)]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def encode_ticks(ticks: Ticks) -> bytes:
    """The bytes of a batch of ticks."""
    return _ticks_encoder.encode(ticks)


def decode_ticks(data: bytes | None) -> Ticks:
    """A batch of ticks. Raises BadMessage."""
    return _decoded(data, _ticks_decoder)  # type: ignore[no-any-return]


def _decoded(data: bytes | None, decoder: Any) -> Any:
    if data is None:
        raise BadMessage("the value is empty")
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"{error}{_on_version(error, decoder)}") from error


def _on_version(error: Exception, decoder: Any) -> str:
    """What to do where it is the version that is wrong."""
    place = "`$[3]`" if decoder is _ticks_decoder else "_v`"
    return ": its version is not one that this release reads; upgrade the process that reads it" if str(error).endswith(place) else ""


# ---- between wire and kernel -----------------------------------------------------------------------------------


def quotes(updates: list[PriceUpdate]) -> d.Quotes:
    """Price updates as the kernel takes them. Raises BadMessage for a bad time or more than four decimals."""
    rows = [
        (
            ms(u.timestamp), -1 if u.seq is None else u.seq, units(u.price), u.volume, _opt(u.open), _opt(u.high), _opt(u.low),
            _opt(u.close), _opt(u.prev_close), _opt(u.bid_price), _opt(u.ask_price), u.bid_volume or 0, u.ask_volume or 0,
            INTERVALS[u.interval],
        )
        for u in updates
    ]  # fmt: skip
    data = np.array(rows, np.int64).reshape(len(rows), len(d.FIELDS)).T
    return d.Quotes(tuple(u.code for u in updates), np.ascontiguousarray(data))


def no_quotes() -> d.Quotes:
    """No price update at all."""
    return d.Quotes((), np.empty((len(d.FIELDS), 0), np.int64))


def claimed(claim: Claim) -> tuple[int, int]:
    """(source, epoch) of a claim."""
    return claim.slot, claim.epoch


def _opt(value: float | None) -> int:
    return 0 if value is None else units(value)


def submission(order: d.Order, slot: int, epoch: int) -> OrderSubmission:
    """An order of the kernel as the topic carries it."""
    return OrderSubmission(
        order_id=order.order_id, portfolio_id=order.portfolio_id, code=order.code, direction=1 if order.direction > 0 else -1,
        volume=order.volume, order_type="limit" if order.limit else "market", price=number(order.limit) if order.limit else None,
        timestamp=iso(order.ts), reason=order.reason, slot=slot, epoch=epoch,
    )  # fmt: skip


def order(message: OrderSubmission) -> d.Order:
    """A submission as the kernel takes it. Raises BadMessage for a limit order without a price."""
    if (message.order_type == "limit") != (message.price is not None):
        raise BadMessage(f"order {message.order_id}: a limit order has a price, a market order has none")
    return d.Order(
        order_id=message.order_id, portfolio_id=message.portfolio_id, code=message.code, direction=message.direction,
        volume=message.volume, limit=0 if message.price is None else units(message.price), ts=ms(message.timestamp),
        reason=message.reason,
    )  # fmt: skip


def cancellation(cancel: d.Cancel, slot: int, epoch: int) -> OrderCancel:
    """A cancel of the kernel as the topic carries it."""
    return OrderCancel(
        order_id=cancel.order_id, portfolio_id=cancel.portfolio_id, code=cancel.code, timestamp=iso(cancel.ts), slot=slot, epoch=epoch
    )


_SIMPLE: Mapping[str, type[OrderCancelled] | type[OrderExpired] | type[OrderAck]] = {
    "ack": OrderAck, "cancelled": OrderCancelled, "expired": OrderExpired,
}  # fmt: skip


def feedback(report: d.Report, slot: int, epoch: int) -> Feedback:
    """A report of the exchange as the topic carries it."""
    base: dict[str, Any] = {
        "order_id": report.order_id, "portfolio_id": report.portfolio_id, "report_seq": report.report_seq,
        "timestamp": iso(report.ts), "slot": slot, "epoch": epoch,
    }  # fmt: skip
    if report.kind in _SIMPLE:
        return _SIMPLE[report.kind](**base)
    if report.kind == "rejected":
        return OrderRejected(**base, reason_code=report.reason_code, message=report.message)
    kind = OrderFilled if report.kind == "filled" else OrderPartiallyFilled
    return kind(
        **base, trade_id=report.trade_id, code=report.code, direction=1 if report.direction > 0 else -1,
        filled_volume=report.volume, cumulative_volume=report.cumulative, remaining_volume=report.remaining,
        filled_price=number(report.price), filled_amount=number(report.amount), commission=number(report.commission),
        stamp_duty=number(report.stamp_duty), transfer_fee=number(report.transfer_fee),
    )  # fmt: skip


_KINDS: Mapping[type, d.ReportKind] = {
    OrderAck: "ack", OrderCancelled: "cancelled", OrderExpired: "expired", OrderRejected: "rejected",
    OrderFilled: "filled", OrderPartiallyFilled: "partially_filled",
}  # fmt: skip


def report(message: Feedback) -> d.Report:
    """A feedback message as the kernel takes it. Raises BadMessage for more than four decimals or a bad time."""
    assert not isinstance(message, Claim)
    kind = _KINDS[type(message)]
    base: dict[str, Any] = {
        "kind": kind, "order_id": message.order_id, "portfolio_id": message.portfolio_id, "report_seq": message.report_seq,
        "ts": ms(message.timestamp),
    }  # fmt: skip
    if isinstance(message, OrderRejected):
        base |= {"reason_code": message.reason_code, "message": message.message}
    elif isinstance(message, (OrderFilled, OrderPartiallyFilled)):
        base |= {
            "code": message.code, "direction": message.direction, "trade_id": message.trade_id, "volume": message.filled_volume,
            "cumulative": message.cumulative_volume, "remaining": message.remaining_volume, "price": units(message.filled_price),
            "amount": units(message.filled_amount), "commission": units(message.commission),
            "stamp_duty": units(message.stamp_duty), "transfer_fee": units(message.transfer_fee),
        }  # fmt: skip
    return d.Report(**base)


def command(message: ControlCommand) -> d.Command:
    """A control command as the kernel takes it."""
    return d.Command(
        command_id=message.command_id, command_type=message.command_type, target_id=message.target_id, params=message.params,
        ts=ms(message.timestamp), issued_by=message.issued_by,
    )  # fmt: skip


ENGINE_COMMANDS = ("engine.stop", "engine.start")


def wish(message: ControlCommand) -> h.Halt:
    """What `engine.stop` and `engine.start` ask for. Raises BadMessage for another command, or parameters that make no sense."""
    if message.command_type not in ENGINE_COMMANDS:
        raise BadMessage(f"{message.command_type} is no command for the engine")
    mode, reason = message.params.get("mode", "halt"), message.params.get("reason", "")
    if mode not in ("halt", "reduce"):
        raise BadMessage(f"mode {mode!r}: {message.command_type} knows halt and reduce")
    if not isinstance(reason, str):
        raise BadMessage(f"reason {reason!r} is no text")
    return h.Halt(
        target=message.target_id, active=message.command_type == "engine.stop", mode=mode, reason=reason, issued_by=message.issued_by,
        command_id=message.command_id, ts=ms(message.timestamp),
    )  # fmt: skip


def halt_update(halt: h.Halt) -> ScheduleUpdate:
    """A numbered change of the switch as the topics carry it."""
    return ScheduleUpdate(
        timestamp=iso(halt.ts), kind="halt", subject=halt.target, value=halt.seq, active=halt.active, reason=halt.reason,
        issued_by=halt.issued_by, mode=halt.mode, command_id=halt.command_id,
    )  # fmt: skip


def halt(message: ScheduleUpdate) -> h.Halt:
    """A change of the switch as the kernel takes it. Raises BadMessage for another kind of update, or one without a number."""
    if message.kind != "halt" or message.value < 1:
        raise BadMessage(f"schedule_update of kind {message.kind} with value {message.value} is no halt")
    return h.Halt(
        target=message.subject, active=message.active, mode=message.mode, reason=message.reason, issued_by=message.issued_by,
        command_id=message.command_id, ts=ms(message.timestamp), seq=message.value,
    )  # fmt: skip


def alert(value: d.Alert) -> Alert:
    """An alert of the kernel as the topic carries it."""
    return Alert(
        alert_id=value.alert_id, alert_type=value.alert_type, severity=value.severity, source=value.source, message=value.message,
        details=dict(value.details), timestamp=iso(value.ts),
    )  # fmt: skip
