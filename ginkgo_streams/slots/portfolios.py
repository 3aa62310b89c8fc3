"""The portfolios of one slot as the engine runs them: messages in, orders, alerts, snapshots and interest out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from ginkgo_streams import messages as m
from ginkgo_streams.domain import events as d
from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.commands import MIGRATE
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.portfolios import Portfolios
from ginkgo_streams.domain.registry import Registry, builtin
from ginkgo_streams.domain.windows import CLOCK
from ginkgo_streams.engine.reducer import Effects, Key, Output, Record, Stamp
from ginkgo_streams.partitioner import partition_of
from ginkgo_streams.slots.snapshot import snapshot
from ginkgo_streams.topics import ALERTS, INTEREST, MARKET_PARTITIONS, SCHEDULE, SNAPSHOTS, SUBMISSION

PORTFOLIOS, WINDOWS = "portfolios", "windows"

TOGETHER_MS = 1_000
"""Event time that batches applied together may span: a signal's age is reckoned from the newest of them."""

TOGETHER = 2_000
"""Ticks applied together, about: bounds how long the writer is away."""

SAY_AGAIN_MS = 30_000
"""Event time after which a snapshot is given again though it says what the last one said: a store may have lost it."""

log = logging.getLogger("ginkgo.node")
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}


@dataclass(slots=True)
class Interest:
    """What of a slot the router was last told."""

    codes: tuple[str, ...] = ()
    portfolios: tuple[str, ...] | None = None
    seq: int = 0


class PortfolioSlot:
    """`engine.reducer.Slot` for portfolios. Tables: portfolios (primary), windows."""

    def __init__(
        self,
        index: int,
        node_id: str,
        profile: Profile,
        market_partitions: int = MARKET_PARTITIONS,
        on_interest: Callable[[], None] = lambda: None,
        registry: Registry = builtin,
    ) -> None:
        """market_partitions: of the market data topic, by which the exchange of a code is known. on_interest: called when it changed."""
        self.index, self.node_id, self.market_partitions = index, node_id, market_partitions
        self.state = Portfolios(profile, registry)
        self.on_interest = on_interest
        self._interest = Interest()
        self._seq = 0
        self._stale: set[str] = set()
        self._told: dict[str, tuple[int, bytes]] = {}
        """By portfolio when a snapshot was last given, and of what view."""

    def load(self, table: str, key: str, value: bytes) -> None:
        """See `Slot.load`."""
        if table == PORTFOLIOS:
            self.state.load_portfolio(key, value)
        else:
            self.state.load_chunk(key, value)

    def recovered(self) -> Effects:
        """Open orders again under their ids, the interest, and a snapshot of every portfolio with its new node."""
        effects = self._effects(self.state.outstanding())
        self._announce_interest(effects, always=True)
        self._snapshots(effects, list(self.state.portfolios))
        return effects

    def coalesce(self, messages: list[Any]) -> list[Any]:
        """Batches of ticks close in event time become one: a batch costs much, a tick in it little."""
        if not isinstance(messages[0], m.Ticks):
            return messages
        joined: list[Any] = []
        group: list[m.Ticks] = []
        for ticks in messages:
            if group and (group[-1].clock or not ticks.follows(group[0], TOGETHER_MS) or sum(len(t.codes) for t in group) > TOGETHER):
                joined.append(m.Ticks.joined(group))
                group = []
            group.append(ticks)
        return [*joined, m.Ticks.joined(group)]

    def apply(self, record: Record) -> Effects:
        """See `Slot.apply`."""
        message = record.message

        def fresh(portfolio_id: str) -> bool:
            return record.fresh(PORTFOLIOS, portfolio_id)

        if isinstance(message, m.Ticks):
            return self._ticks(message, fresh, lambda chunk: record.fresh(WINDOWS, chunk))
        if isinstance(message, d.Report):
            return self._report(message) if fresh(message.portfolio_id) else Effects()
        if isinstance(message, d.Command):
            if fresh(message.target_id):
                return self._command(message)
            return self._effects(self.state.repeat_move(message)) if message.command_type == MIGRATE else Effects()
        # A claim: the exchange of some codes has a new owner. Reports of the old one may have been refused, so the open
        # orders of those codes are submitted again; the exchange knows the ids and repeats its reports.
        assert isinstance(message, m.Claim)
        again = self.state.outstanding()
        again.orders = [order for order in again.orders if partition_of(order.code, self.market_partitions) == message.slot]
        again.cancels = [cancel for cancel in again.cancels if partition_of(cancel.code, self.market_partitions) == message.slot]
        return self._effects(again)

    def _ticks(self, ticks: m.Ticks, fresh: Callable[[str], bool], fresh_chunk: Callable[[str], bool]) -> Effects:
        effects = Effects()
        if ticks.codes:
            effects = self._effects(self.state.on_quotes(ticks.quotes(), fresh, fresh_chunk))
        if ticks.clock:
            later = self._effects(self.state.on_clock(ticks.clock, fresh))
            effects.dirty += later.dirty
            effects.outputs += later.outputs
            effects.after += later.after
            self._snapshots(effects, [p for p in self.state.portfolios if fresh(p)])
        return effects

    def _report(self, report: d.Report) -> Effects:
        effects = self._effects(self.state.on_report(report))
        self._announce_interest(effects)  # it changes where the last of a code goes that is no longer watched
        return effects

    def _command(self, command: d.Command) -> Effects:
        effects = self._effects(self._decide(command))
        self._snapshots(effects, sorted(self._stale))
        self._announce_interest(effects)
        return effects

    def _decide(self, command: d.Command) -> Changes:
        source = command.params.get("source_node")
        if command.command_type == MIGRATE and source not in (None, "", self.node_id):
            return self.state.refuse(command, f"it runs on {self.node_id}, not on source_node {source!r}; name the right one, or none")
        return self.state.on_command(command)

    def touched(self) -> Sequence[Sequence[Key]]:
        """Portfolios first: windows may not reach further than they do. The clock last: it may not reach further than the windows."""
        chunks = self.state.touched_chunks()
        return [
            [(PORTFOLIOS, name) for name in self.state.touched_portfolios()],
            [(WINDOWS, name) for name in chunks if name != CLOCK],
            [(WINDOWS, name) for name in chunks if name == CLOCK],
        ]

    def encode(self, table: str, key: str) -> bytes:
        """See `Slot.encode`."""
        return self.state.encode_portfolio(key) if table == PORTFOLIOS else self.state.encode_chunk(key)

    # ---- outputs ------------------------------------------------------------------------------------------------

    def settled(self) -> Effects:
        """Snapshots of what changed since the last ones: with the clock they come once a second, without it now."""
        effects = Effects()
        self._snapshots(effects, sorted(self._stale))
        return effects

    def _effects(self, changes: Changes) -> Effects:
        self._stale.update(changes.dirty)
        effects = Effects(dirty=[(PORTFOLIOS, name) for name in dict.fromkeys(changes.dirty)])
        effects.outputs += [self._order(order) for order in changes.orders]
        effects.outputs += [self._cancel(cancel) for cancel in changes.cancels]
        effects.outputs += [self._move(move) for move in changes.moves]
        effects.outputs += [Output(ALERTS, a.source.encode(), None, _constant(m.encode(m.alert(a)))) for a in changes.alerts]
        effects.after += [_logged(note) for note in changes.notes]
        return effects

    def _order(self, order: d.Order) -> Output:
        def encode(stamp: Stamp) -> bytes:
            return m.encode(m.submission(order, stamp.source, stamp.epoch))

        return Output(SUBMISSION, order.portfolio_id.encode(), self.index, encode)

    def _cancel(self, cancel: d.Cancel) -> Output:
        def encode(stamp: Stamp) -> bytes:
            return m.encode(m.cancellation(cancel, stamp.source, stamp.epoch))

        return Output(SUBMISSION, cancel.portfolio_id.encode(), self.index, encode)

    def _move(self, move: d.Move) -> Output:
        update = m.pin(self.index, move.node_id, m.iso(move.ts), reason=f"portfolio {move.portfolio_id}", issued_by=move.issued_by)
        return Output(SCHEDULE, m.schedule_key(update), 0, _constant(m.encode(update)))

    def _snapshots(self, effects: Effects, ids: Iterable[str]) -> None:
        for portfolio_id in ids:
            self._stale.discard(portfolio_id)
            view, now = self.state.view(portfolio_id), self.state.newest
            at, told = self._told.get(portfolio_id, (0, b""))
            digest = blake2b(msgspec.msgpack.encode(view), digest_size=16).digest()  # the view itself shares rows that may change
            if digest == told and now - at < SAY_AGAIN_MS:
                continue
            self._told[portfolio_id] = (now, digest)
            self._seq += 1

            def encode(stamp: Stamp, view: Any = view, seq: int = self._seq) -> bytes:
                return m.encode(snapshot(view, self.node_id, stamp.source, stamp.epoch, seq))

            effects.outputs.append(Output(SNAPSHOTS, portfolio_id.encode(), self.index, encode))

    def _announce_interest(self, effects: Effects, always: bool = False) -> None:
        codes, portfolios = self.state.interest(), self.state.active()
        if not always and (codes, portfolios) == (self._interest.codes, self._interest.portfolios):
            return
        self._interest = Interest(codes, portfolios, self._interest.seq + 1)
        seq, now = self._interest.seq, self.state.newest

        def encode(stamp: Stamp) -> bytes:
            update = m.InterestUpdate(
                timestamp=m.iso(now), slot=stamp.source, codes=list(codes), portfolios=len(portfolios), node_id=self.node_id,
                epoch=stamp.epoch, seq=seq, portfolio_ids=list(portfolios),
            )  # fmt: skip
            return m.encode(update)

        effects.outputs.append(Output(INTEREST, str(self.index).encode(), 0, encode))
        effects.after.append(self.on_interest)


def _constant(value: bytes) -> Callable[[Stamp], bytes]:
    return lambda stamp: value


def _logged(note: d.Note) -> Callable[[], None]:
    return lambda: log.log(LEVELS[note.level], note.text)
