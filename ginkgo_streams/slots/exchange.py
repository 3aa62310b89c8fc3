"""The simulated exchange of one partition of codes as the engine runs it: prices and orders in, reports out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.domain import events as d
from ginkgo_streams.domain import halts as h
from ginkgo_streams.domain import ids
from ginkgo_streams.domain.exchange.exchange import CLOCK, Exchange, ExchangeChanges
from ginkgo_streams.engine.reducer import Effects, Key, Output, Record, Stamp
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.topics import ALERTS, FEEDBACK, HALTS, MARKET_DATA

EXCHANGE = "exchange"

CLOCK_BACK_MS = 5_000
"""How far the feed's clock may fall behind what it was before somebody is told (scenario 9.9)."""


@dataclass(frozen=True, slots=True)
class Market:
    """Prices of one message of the market data topic, and its newest clock (0: none)."""

    quotes: d.Quotes | None
    clock: int


class ExchangeSlot:
    """`engine.reducer.Slot` for the exchange. Table: exchange, keys "o:<order id>", "c:<code>", "clock" and "halts"."""

    def __init__(self, index: int, exchange: Exchange, slots: int) -> None:
        """index: the partition of codes; slots: of portfolios."""
        self.index, self.exchange, self.slots = index, exchange, slots
        self._waiting: set[str] = set()
        self._back = False

    def load(self, table: str, key: str, value: bytes) -> None:
        """See `Slot.load`."""
        self.exchange.load(key, value)

    def recovered(self) -> Effects:
        """How far it is with the halts, in front of which stands the claim. No reports: portfolios see their claim, submit their open
        orders again, and get every report repeated."""
        effects = Effects()
        self._tell_halts(effects)
        return effects

    def coalesce(self, messages: list[Any]) -> list[Any]:
        """Each by itself."""
        return messages

    def apply(self, record: Record) -> Effects:
        """See `Slot.apply`."""
        message = record.message

        def fresh(key: str) -> bool:
            return record.fresh(EXCHANGE, key)

        if isinstance(message, Market):
            effects = Effects()
            if message.quotes is not None:
                self._add(effects, self.exchange.on_quotes(message.quotes, fresh))
            if message.clock:
                if fresh(CLOCK):
                    self._tell_clock(effects, message.clock)
                self._add(effects, self.exchange.on_clock(message.clock, fresh))
            self._tell_waiting(effects)
            return effects
        if isinstance(message, h.Halt):
            effects = Effects()
            self._add(effects, self.exchange.halt(message))
            self._tell_halts(effects)
            return effects
        # An order that the recovered state has already is answered by its reports again: lost ones are repeated so.
        effects = Effects()
        self._add(effects, self.exchange.submit(message) if isinstance(message, d.Order) else self.exchange.cancel(message))
        self._tell_waiting(effects)
        return effects

    def settled(self) -> Effects:
        """Nothing."""
        return Effects()

    def touched(self) -> Sequence[Sequence[Key]]:
        """Orders first; a code's state may not reach further than its orders do."""
        keys = self.exchange.touched()
        return [[(EXCHANGE, k) for k in keys if k.startswith("o:")], [(EXCHANGE, k) for k in keys if not k.startswith("o:")]]

    def encode(self, table: str, key: str) -> bytes:
        """See `Slot.encode`."""
        return self.exchange.encode(key)

    def _tell_clock(self, effects: Effects, ts: int) -> None:
        """Say so once where the feed's clock has gone back. Event time holds, and with it all timers and the day's end, until the clock
        has caught up; updates older than the last of their code do not count."""
        back = ts < self.exchange.now - CLOCK_BACK_MS
        if back and not self._back:
            was, now = m.iso(self.exchange.now), m.iso(ts)
            alert = d.Alert(
                alert_id=ids.alert_id("clock_back", was, now), alert_type="data_anomaly", severity="warning", source=MARKET_DATA,
                message=f"The clock of the market data went back from {was} to {now}: event time holds until it has caught up",
                details={"partition": self.index, "from": was, "to": now}, ts=self.exchange.now,
            )  # fmt: skip
            effects.outputs.append(Output(ALERTS, MARKET_DATA.encode(), None, lambda stamp: m.encode(m.alert(alert))))
        self._back = back or (self._back and ts < self.exchange.now)

    def _tell_waiting(self, effects: Effects) -> None:
        """Say so where orders that a halt is to end have ended meanwhile."""
        if self._waiting:
            self._tell_halts(effects, only_news=True)

    def _tell_halts(self, effects: Effects, only_news: bool = False) -> None:
        waiting = self.exchange.waiting()
        if only_news and {order.order_id for order in waiting} == self._waiting:
            return
        self._waiting = {order.order_id for order in waiting}
        seen = [m.HaltSeen(target=each.halt.target, seq=each.halt.seq, ended=each.ended) for each in self.exchange.halts.seen.values()]
        open_ = [m.WaitingOrder(order_id=order.order_id, portfolio_id=order.portfolio_id, code=order.code) for order in waiting]
        now = max((each.halt.ts for each in self.exchange.halts.seen.values()), default=0)

        def encode(stamp: Stamp) -> bytes:
            return m.encode(m.ExchangeHalts(timestamp=m.iso(now), slot=stamp.source, epoch=stamp.epoch, halts=seen, waiting=open_))

        effects.outputs.append(Output(HALTS, str(self.index).encode(), 0, encode))

    def _add(self, effects: Effects, changes: ExchangeChanges) -> None:
        effects.dirty += [(EXCHANGE, key) for key in changes.dirty]
        for report in changes.reports:

            def encode(stamp: Stamp, report: d.Report = report) -> bytes:
                return m.encode(m.feedback(report, stamp.source, stamp.epoch))

            effects.outputs.append(Output(FEEDBACK, report.portfolio_id.encode(), partition_of(report.portfolio_id, self.slots), encode))
