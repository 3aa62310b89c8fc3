"""What the demo makes of what it reads: latencies, the newest state, the figures and pictures of the end."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from rich.console import Console

from ginkgo_streams.demo.options import Options
from ginkgo_streams.demo.scenario import PRICES, portfolio
from ginkgo_streams.demo.screen import View, line, tables
from ginkgo_streams.demo.stopping import Interrupted, StopRequest
from ginkgo_streams.demo.summary import latency_of
from ginkgo_streams.demo.watch import Watch
from ginkgo_streams.local.state import Member
from ginkgo_streams.messages import OrderSubmission, PriceUpdate, Snapshot, encode
from ginkgo_streams.topics import MARKET_DATA, SNAPSHOTS, SUBMISSION


@dataclass
class Record:
    """A record as aiokafka gives it. timestamp: ms."""

    topic: str
    value: bytes
    timestamp: int = 0


def price(time: str, sent_at: int) -> Record:
    return Record(MARKET_DATA, encode([PriceUpdate(timestamp=time, code="000001.SZ", price=10.0)]), sent_at)


def order(order_id: str, time: str, sent_at: int) -> Record:
    message = OrderSubmission(
        timestamp=time, order_id=order_id, portfolio_id="p", code="000001.SZ", direction=1, volume=100, order_type="limit", price=10.0
    )
    return Record(SUBMISSION, encode(message), sent_at)


def snapshot(epoch: int, seq: int, status: str = "running") -> Snapshot:
    return Snapshot(
        portfolio_id="p", epoch=epoch, seq=seq, node_id="execution_node_001", slot=0, name="Trend 3/8", user_id="demo", status=status,
        config={}, version=1, initial_cash=1000, cash=900, frozen=50, total_value=1010.5, fees=0, positions=[], open_orders=[], orders=7,
        fills=5, drops={}, transitions=[], history=[], created_at="2026-11-24T01:30:00.000Z", updated_at="2026-11-24T01:30:00.000Z",
    )  # fmt: skip


FIRST, SECOND = "2026-11-24T01:30:00.000Z", "2026-11-24T01:30:03.000Z"


def test_latency_when_an_order_follows_its_price_then_is_between_the_two_records_whichever_is_read_first() -> None:
    watch = Watch("unused:1")
    for record in (price(FIRST, 1_000), order("a", FIRST, 1_020), order("b", SECOND, 5_090), price(SECOND, 5_000)):
        watch._take(record)
    assert watch.latencies_ms == [20, 90]
    assert watch.latency_ms == {"p": 90}
    assert watch.ticks == 2
    assert watch.market_time == SECOND
    assert watch.first_order_at > 0


def test_latency_when_price_or_order_is_published_again_then_the_first_time_counts() -> None:
    watch = Watch("unused:1")
    for record in (price(FIRST, 1_000), price(FIRST, 9_000), order("a", FIRST, 1_020), order("a", FIRST, 9_500)):
        watch._take(record)
    assert watch.latencies_ms == [20]


def test_snapshots_when_an_older_one_arrives_late_then_the_newest_by_epoch_and_seq_stays() -> None:
    watch = Watch("unused:1")
    for epoch, seq, status in ((1, 9, "running"), (2, 1, "stopped"), (1, 10, "running")):
        watch._take(Record(SNAPSHOTS, encode(snapshot(epoch, seq, status))))
    watch._take(Record(SNAPSHOTS, b"{"))
    assert watch.newest["p"].status == "stopped"
    assert watch.unreadable == 1


def test_latency_of_when_there_are_many_then_gives_values_that_were_measured() -> None:
    assert latency_of([]) is None
    found = latency_of([float(n) for n in range(1, 101)])
    assert found is not None
    assert (found.orders, found.p50_ms, found.p99_ms) == (100, 50.0, 99.0)


def test_screen_when_shown_then_has_the_figures_of_every_portfolio_and_process() -> None:
    member = Member("execution_node_001", "node", 42, 0.0, "x.log", "waiting", False, 3)
    view = View(
        seconds=12.4, market_time=FIRST, ticks_per_second=600.4, snapshots=[snapshot(1, 1)], latency_ms={"p": 21.0}, last_ms=21.0,
        members=[member], memory_mb=812.3, by_pid={42: 160.2},
    )  # fmt: skip
    wide = Console(width=160)
    with wide.capture() as capture:
        wide.print(tables(view))
    shown = capture.get()
    for word in ("2026-11-24 09:30:00", "Trend 3/8", "running", "950.00", "1,010.50", "21 ms", "waiting", "160", "600 ticks/s", "812 MB"):
        assert word in shown, word
    said = line(view)
    for word in ("12 s", "1 of 1 portfolios running", "7 orders", "5 fills", "price to order 21 ms", "execution_node_001 waiting"):
        assert word in said, word


def test_scenario_when_portfolios_are_made_then_each_is_valid_and_differs_from_the_others() -> None:
    made = [portfolio(number, tuple(PRICES)) for number in range(20)]
    assert [each.errors() for each in made] == [[]] * 20
    assert len({each.name for each in made}) == 20
    assert Options().portfolios == 3


def test_stop_request_when_asked_before_or_while_starting_then_interrupts_and_afterwards_only_notes_it() -> None:
    stop = StopRequest(print)
    with pytest.raises(Interrupted), stop.interruptible():
        stop._on_signal(2, None)
    with pytest.raises(Interrupted), stop.interruptible():
        pytest.fail("nothing is started any more")
    noted = StopRequest(print)
    noted._on_signal(15, None)
    assert noted.asked
