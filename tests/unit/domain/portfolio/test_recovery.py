"""A crash between two steps: what a successor must not see again, must not miss, and must have been told to keep."""

from __future__ import annotations

from collections.abc import Callable

from ginkgo_streams.domain.events import BUY
from ginkgo_streams.domain.portfolios import Portfolios
from ginkgo_streams.domain.windows import CLOCK, chunk_name
from tests.unit.domain.portfolio.desk import CODE, ID, OTHER, PROFILE, REGISTRY, Desk, TestStrategy, always, config, held, quote, quotes, ts

TREND = config(strategy="TrendFollowStrategy", params={"short_period": 1, "long_period": 2})


def successor(desk: Desk, *chunks: str) -> Portfolios:
    """A kernel that loads what the desk has now: its portfolios, and these chunks."""
    kernel = Portfolios(PROFILE, REGISTRY)
    for portfolio_id in desk.kernel.portfolios:
        kernel.load_portfolio(portfolio_id, desk.kernel.encode_portfolio(portfolio_id))
    for name in chunks:
        kernel.load_chunk(name, desk.kernel.encode_chunk(name))
    return kernel


def only(*names: str) -> Callable[[str], bool]:
    """Fresh for these keys alone."""
    return lambda name: name in names


def test_tick_that_a_portfolio_has_seen_goes_to_the_windows_alone() -> None:
    desk = Desk()
    kernel = successor(desk)
    TestStrategy.asked.clear()
    kernel.on_quotes(quotes([quote("10:00:00", 10.0)]), only(), always)
    assert TestStrategy.asked == []
    assert kernel.touched_chunks() == [chunk_name(CODE), CLOCK]


def test_tick_that_a_chunk_has_is_not_taken_again_and_nobody_sees_it() -> None:
    desk = Desk(config=TREND)
    desk.quote("10:00:00", 10.0)
    before = desk.kernel.encode_chunk(chunk_name(CODE))
    kernel = successor(desk, chunk_name(CODE), CLOCK)
    # the portfolio was not touched by this tick, so it stands as fresh; with windows beyond the tick it would see a cross
    changes = kernel.on_quotes(quotes([quote("10:00:03", 10.1)]), always, only())
    assert changes.orders == []
    assert kernel.encode_chunk(chunk_name(CODE)) == before
    assert len(kernel.on_quotes(quotes([quote("10:00:03", 10.1)]), always, always).orders) == 1


def test_no_portfolio_is_asked_while_one_chunk_is_past_the_tick() -> None:
    desk = Desk()
    kernel = successor(desk, chunk_name(CODE), CLOCK)
    assert chunk_name(CODE) != chunk_name(OTHER)
    TestStrategy.asked.clear()
    row = quotes([quote("10:00:00", 10.0, OTHER)])
    kernel.on_quotes(row, always, only(chunk_name(OTHER), CLOCK))  # prices of the first chunk are of a later time
    assert TestStrategy.asked == []
    kernel.on_quotes(quotes([quote("10:00:03", 10.0, OTHER)]), always, always)
    assert TestStrategy.asked == [[OTHER]]


def test_refusal_is_kept_with_its_chunk() -> None:
    desk = Desk()
    desk.kernel.encode_chunk(chunk_name(CODE))
    desk.quote("10:00:00", 13.0)
    assert chunk_name(CODE) in desk.kernel.touched_chunks()


def test_update_refused_as_future_touches_its_chunk_so_that_a_replay_refuses_it_too() -> None:
    desk = Desk(ticking=False)
    desk.clock("10:00:00")
    desk.kernel.encode_chunk(chunk_name(CODE))
    desk.quote("10:01:00", 10.0)
    assert chunk_name(CODE) in desk.kernel.touched_chunks()


def test_update_behind_the_clock_chunk_does_not_move_the_clock_again() -> None:
    desk = Desk()
    desk.clock("10:00:00")
    kernel = successor(desk, CLOCK)
    kernel.on_quotes(quotes([quote("10:00:04", 10.0)]), always, only(chunk_name(CODE)))
    assert kernel.newest == ts("10:00:00")


def test_memory_of_a_risk_manager_touches_its_portfolio() -> None:
    desk = held(config=config(risks=[("ProfitTargetRisk", {"profit_target": 5.0, "trailing_percent": 2.0})]))
    desk.kernel.encode_portfolio(ID)
    desk.quote("10:00:00", 10.6)
    assert desk.kernel.touched_portfolios() == [ID]


def test_signal_time_counts_not_the_time_it_was_seen() -> None:
    desk = Desk()
    TestStrategy.age_ms = 4_000
    desk.signal("10:00:00", 10.0, BUY)
    TestStrategy.age_ms = 0
    assert len(desk.signal("10:00:56", 10.0, BUY).orders) == 1  # 60 s behind 09:59:56


def test_open_orders_and_cancels_are_outstanding_after_recovery() -> None:
    desk = Desk()
    (first,) = desk.signal("10:00:00", 10.0, BUY).orders
    (second,) = desk.signal("10:00:03", 10.0, BUY, OTHER).orders
    desk.command("order.cancel", order_id=second.order_id)
    again = successor(desk).outstanding()
    assert again.orders == [first, second]
    assert [cancel.order_id for cancel in again.cancels] == [second.order_id]
    assert successor(desk).outstanding(["nobody"]).orders == []


def test_value_of_a_portfolio_is_a_few_kilobytes() -> None:
    desk = held(config=config(risks=[("PositionRatioRisk", {}), ("LossLimitRisk", {})]))
    assert len(desk.kernel.encode_portfolio(ID)) < 2_000
