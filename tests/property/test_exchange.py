"""Properties of the exchange over any course of events: bounds, idempotence, and a crash that changes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from ginkgo_streams.domain.events import BUY, SELL, Cancel, Order, Quotes, Report
from ginkgo_streams.domain.exchange.exchange import Exchange, ExchangeChanges, Fresh
from ginkgo_streams.domain.exchange.line import AWAY_MS
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.halts import ENGINE, Halt, Mode
from tests.unit.domain.exchange.floor import CODE, always, order, quotes, row, ts
from tests.unit.domain.market.shanghai import profile

PROFILE = profile()
SECOND = 1_000
OTHER = "688001.SH"
CODES = (CODE, OTHER)
TIMES = ["09:14:50", "09:19:50", "09:24:50", "10:00:00", "14:56:50", "14:59:50", "2026-11-24T09:29:50", "2026-11-27T10:00:00"]

Event = Quotes | Order | Cancel | Halt | int


@st.composite
def courses(draw: st.DrawFn, lines: tuple[float, ...] = (0.0, 0.3)) -> tuple[ExchangeSettings, list[Event]]:
    """Settings, and events in an order that may happen: times go on, with repeats and late ones, over several days. lines: rates at
    which they fail."""
    chosen = ExchangeSettings(
        participation=draw(st.sampled_from([0.1, 1.0])), slippage_rate=draw(st.sampled_from([0.0, 0.002])),
        reject_rate=draw(st.sampled_from([0.0, 0.2])), ack_delay_ms=draw(st.sampled_from([0, 2_500])),
        disconnect_rate=draw(st.sampled_from(lines)),
    )  # fmt: skip
    events: list[Event] = []
    now, number = ts("2026-11-20T14:59:50"), 0
    events.append(quotes(row(now, 10.0, prev_close=10.0), row(now, 10.0), codes=CODES))
    jumps = iter(TIMES)
    for _ in range(draw(st.integers(5, 40))):
        kind = draw(st.sampled_from(["quote", "quote", "quote", "order", "order", "cancel", "again", "clock", "jump", "halt"]))
        now += draw(st.integers(0, 4)) * SECOND
        if kind == "jump":
            now = max(now, ts(next(jumps, TIMES[-1])))
        elif kind == "clock":
            events.append(now)
        elif kind == "quote":
            events.append(draw(some_quotes(now)))
        elif kind == "order":
            number += 1
            events.append(draw(an_order(f"o{number}", now)))
        elif kind == "halt":
            events.append(draw(a_halt([event for event in events if isinstance(event, Halt)], now)))
        else:
            known = [event for event in events if isinstance(event, Order)]
            if known:
                again = draw(st.sampled_from(known))
                ask = Cancel(order_id=again.order_id, portfolio_id="p1", code=again.code, ts=now)
                events.append(ask if kind == "cancel" else again)
    return chosen, events


@st.composite
def some_quotes(draw: st.DrawFn, now: int) -> Quotes:
    """One to three updates, ticks or bars, some of them repeated, older, out of limits or without a previous close."""
    rows, codes = [], []
    for _ in range(draw(st.integers(1, 3))):
        price = draw(st.sampled_from([8.9, 9.0, 9.9, 9.95, 10.0, 10.05, 10.1, 11.0, 11.1]))
        others: dict[str, float] = {"prev_close": draw(st.sampled_from([10.0, 10.0, 0.0])), "seq": draw(st.integers(-1, 3))}
        if draw(st.booleans()):
            others |= {"bid": price - 0.01, "ask": price + 0.01}
        if draw(st.integers(0, 3)) == 0:
            others |= {
                "open": price - 0.05,
                "high": price + 0.05,
                "low": price - 0.1,
                "interval": draw(st.sampled_from([60_000, 86_400_000])),
            }
        volume = draw(st.sampled_from([0, 90, 1_000, 5_050, 100_000]))
        rows.append(row(now - draw(st.sampled_from([0, 0, SECOND])), price, volume, **others))
        codes.append(draw(st.sampled_from(CODES)))
    return quotes(*rows, codes=tuple(codes))


@st.composite
def an_order(draw: st.DrawFn, order_id: str, now: int) -> Order:
    """Mostly a good order."""
    volume = draw(st.sampled_from([100, 300, 1_000, 20_000, 150, 237]))
    limit = draw(st.sampled_from([0, 0, 9.9, 10.0, 10.1, 11.0, 12.5]))
    return order(order_id, volume, limit, now, draw(st.sampled_from([BUY, SELL])), draw(st.sampled_from(CODES)))


@st.composite
def a_halt(draw: st.DrawFn, known: list[Halt], now: int) -> Halt:
    """The next change of a target, or one that was here before: every gateway gives its own again after a crash."""
    if known and draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(known))
    target = draw(st.sampled_from([ENGINE, "p1", CODE, OTHER]))
    seq = 1 + max((halt.seq for halt in known if halt.target == target), default=0)
    mode: Mode = "halt" if draw(st.booleans()) else "reduce"
    return Halt(target=target, active=draw(st.booleans()), mode=mode, command_id=f"{target}-{seq}", ts=now, seq=seq)


def give(exchange: Exchange, event: Event, fresh: Fresh) -> ExchangeChanges:
    """One input."""
    if isinstance(event, Quotes):
        return exchange.on_quotes(event, fresh)
    if isinstance(event, Order):
        return exchange.submit(event)
    if isinstance(event, Cancel):
        return exchange.cancel(event)
    if isinstance(event, Halt):
        return exchange.halt(event)
    return exchange.on_clock(event, fresh)


@dataclass
class Log:
    """A changelog as the engine writes it: values in the order told, each with the number of the last input in it."""

    records: list[tuple[str, bytes, int]] = field(default_factory=list)

    def write(self, exchange: Exchange, keys: list[str], at: int) -> None:
        """What has to be durable now."""
        self.records += [(key, exchange.encode(key), at) for key in keys]


def unique(reports: list[Report]) -> dict[tuple[str, int], Report]:
    """Reports by id and number; two of the same number must be the same.

    An order that comes again when it may be forgotten is the exception: when that happens depends on the checkpoints.
    """
    found: dict[tuple[str, int], Report] = {}
    for report in reports:
        if report.reason_code == "too_old":
            continue
        assert found.setdefault((report.order_id, report.report_seq), report) == report
    return found


@settings(deadline=None)
@given(courses())
def test_any_course_when_run_then_bounds_hold_and_repeats_change_nothing(course: tuple[ExchangeSettings, list[Event]]) -> None:
    chosen, events = course
    exchange, reports = Exchange(PROFILE, chosen), []
    sent = {event.order_id: event for event in events if isinstance(event, Order)}
    seen: set[str] = set()
    for at, event in enumerate(events):
        changes = give(exchange, event, always)
        fills = Counter[tuple[str, int]]()
        for report in changes.reports:
            if report.volume and isinstance(event, Quotes):
                fills[report.code, report.ts] += report.volume
                check_fill(report, sent[report.order_id])
        for (code, moment), volume in fills.items():
            offered = [v for c, t, v in zip(event.codes, event.data[0], event.data[3], strict=True) if (c, t) == (code, moment)]  # type: ignore[union-attr]
            assert volume <= sum(int(v * chosen.participation) for v in offered)
        if isinstance(event, Order) and event.order_id in seen and not any(r.reason_code == "too_old" for r in changes.reports):
            assert changes.dirty == []
        seen |= {event.order_id} if isinstance(event, Order) else set()
        reports += changes.reports
        if at % 3 == 0 and isinstance(event, Quotes):
            assert give(exchange, event, always) == ExchangeChanges()
    given = unique(reports)
    check_sums(given, sent)
    # What a line has held back comes when it is back.
    later = max(
        event if isinstance(event, int) else int(event.data[0].max()) if isinstance(event, Quotes) else event.ts for event in events
    )
    made = unique([report for entry in exchange._orders.values() for report in entry.reports])
    given |= unique(exchange.on_clock(later + AWAY_MS + 2 * chosen.ack_delay_ms, always).reports)
    assert given.items() >= made.items()


def check_fill(report: Report, source: Order) -> None:
    """Never outside the limits of 10.00 where the previous close is known to be that, never beyond the order, never before it."""
    assert report.ts > source.ts
    assert report.price % 100 == 0
    assert not source.limit or (report.price - source.limit) * source.direction <= 0
    assert 0 < report.volume <= source.volume
    assert report.cumulative + report.remaining == source.volume


def check_sums(reports: dict[tuple[str, int], Report], sent: dict[str, Order]) -> None:
    """Report numbers have no gap, the last one only ends an order, and the fills add up."""
    for order_id in {key[0] for key in reports}:
        own = [reports[key] for key in sorted(reports) if key[0] == order_id]
        assert [report.report_seq for report in own] == list(range(1, len(own) + 1))
        assert all(report.kind in ("ack", "partially_filled") for report in own[:-1])
        fills = [report for report in own if report.volume]
        assert all(report.cumulative == sum(f.volume for f in fills[: n + 1]) for n, report in enumerate(fills))
        fees = PROFILE.fees(BUY, sum(f.amount for f in fills), PROFILE.calendar_day(own[0].ts), CODE)
        assert sum(f.commission for f in fills) == (fees.commission if fills else 0)
        assert sum(f.volume for f in fills) <= sent[order_id].volume


@settings(deadline=None, max_examples=200)
@given(courses(lines=(0.0,)))
def test_any_course_when_halted_then_every_open_order_of_the_target_ends_or_waits_for_its_cancel(
    course: tuple[ExchangeSettings, list[Event]],
) -> None:
    chosen, events = course
    exchange = Exchange(PROFILE, chosen)
    newest: dict[str, Halt] = {}
    sent: set[str] = set()
    open_orders: dict[str, Order] = {}
    for event in events:
        known = newest.get(event.target) if isinstance(event, Halt) else None
        if isinstance(event, Halt) and (known is None or event.seq > known.seq):
            newest[event.target] = event
        reports = give(exchange, event, always).reports
        if isinstance(event, Order) and event.order_id not in sent:
            sent.add(event.order_id)
            open_orders[event.order_id] = event
        for report in reports:
            if report.kind not in ("ack", "partially_filled"):
                open_orders.pop(report.order_id, None)
        waiting = {order.order_id for order in exchange.waiting()}
        for source in open_orders.values():
            for halt in newest.values():
                passes = halt.mode == "reduce" and source.direction == SELL
                covered = halt.active and halt.target in (ENGINE, source.portfolio_id, source.code)
                assert not covered or passes or source.order_id in waiting, (source, halt)


@settings(deadline=None, max_examples=150)
@given(courses(lines=(0.0,)), st.data())
def test_any_course_when_it_crashes_anywhere_then_the_same_reports_as_without(
    course: tuple[ExchangeSettings, list[Event]], data: st.DataObject
) -> None:
    chosen, events = course
    whole = Exchange(PROFILE, chosen)
    expected = unique([report for event in events for report in give(whole, event, always).reports])

    crash = data.draw(st.integers(0, len(events)), "inputs applied before the crash")
    checkpoints = data.draw(st.sets(st.integers(0, max(0, crash - 1)), max_size=3), "checkpoints after these inputs")
    exchange, log = Exchange(PROFILE, chosen), Log()
    acked, visible, safe = 0, [], 0
    for at, event in enumerate(events[:crash]):
        changes = give(exchange, event, always)
        log.write(exchange, changes.dirty, at)
        durable = len(log.records)
        visible.append((durable, changes.reports))
        if at in checkpoints:
            log.write(exchange, exchange.touched(), at)
            acked, safe = at + 1, len(log.records)
    # The log's tail may be lost, but nothing of it that a committed input rests on.
    kept = data.draw(st.integers(safe, len(log.records)), "records that became durable")
    seen = [report for needed, reports in visible if needed <= kept for report in reports]

    values: dict[str, tuple[bytes, int]] = {key: (value, at) for key, value, at in log.records[:kept]}
    after = Exchange(PROFILE, chosen)
    for key, (value, _) in values.items():
        after.load(key, value)
    again = after.reports()
    for at, event in enumerate(events[acked:], acked):

        def fresh(key: str, at: int = at) -> bool:
            value = values.get(key)
            return value is None or not value[0] or at > value[1]

        again += give(after, event, fresh).reports
    assert unique(seen + again) == expected
    remembered = {report.order_id for report in after.reports()}
    assert after.reports() == [report for report in whole.reports() if report.order_id in remembered]
    last = PROFILE.trading_day(max(event for event in [0, *events] if isinstance(event, int)))
    young = {e.order_id for e in events if isinstance(e, Order) and PROFILE.trading_days_between(PROFILE.order_day(e.ts), last) <= 3}
    assert young & {report.order_id for report in whole.reports()} <= remembered
