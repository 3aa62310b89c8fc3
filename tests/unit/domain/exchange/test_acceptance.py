"""What the exchange refuses, and with which reason; what it takes."""

from __future__ import annotations

import pytest

from ginkgo_streams.domain.events import BUY, SELL, Order
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from tests.unit.domain.exchange.floor import Floor, cancel, kinds, order


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        (order(volume=150), "bad_lot", "not a multiple of 100"),
        (order(volume=1_000_100), "bad_lot", "1000000"),
        (order(limit=10.005), "bad_tick", "limit 10.005 is not a multiple of 0.01"),
        (order(limit=11.01), "price_limit", "limit 11.01 of 000001.SZ is outside 9 to 11"),
        (order(limit=8.99, direction=SELL), "price_limit", "8.99"),
        (order(limit=10.22), "price_cage", "passes 10.21"),
        (order(limit=9.78, direction=SELL), "price_cage", "passes 9.79"),
        (order(code="600000.SH"), "unknown_code", "600000.SH has never traded"),
        (order(time="2026-11-20T14:59:00"), "day_over", "day"),
        (order(direction=2), "bad_order", "direction 2"),
        (order(limit=-1), "bad_order", "limit -10000"),
        (order(time="2026-11-16T10:00:00"), "too_old", "3 trading days"),
    ],
)
def test_s1_6a_order_when_it_breaks_a_rule_then_rejected_with_the_reason(value: Order, reason: str, words: str) -> None:
    """Section 3, simulated exchange: what is outside tick, lots, price limits, price cage or its day is rejected with the reason."""
    floor = Floor()
    (report,) = floor.submit(value)
    assert (report.kind, report.report_seq, report.reason_code) == ("rejected", 1, reason)
    assert words in report.message
    assert floor.quote("10:00:03", 10.0) == []  # nothing moves


@pytest.mark.parametrize(
    "value",
    [
        order(limit=10.21),
        order(limit=11.0, time="09:28:00"),  # no cage outside continuous trading
        order(volume=37, limit=9.9, direction=SELL),  # may be a remainder: the exchange does not know what is held
        order(),
    ],
)
def test_order_when_it_breaks_no_rule_then_acknowledged_and_durable_first(value: Order) -> None:
    floor = Floor()
    (report,) = floor.submit(value)
    assert (report.kind, report.report_seq, report.ts) == ("ack", 1, value.ts)
    assert floor.dirty == [f"o:{value.order_id}"]


def test_order_when_submitted_again_then_nothing_changes_and_all_its_reports_come_again() -> None:
    floor = Floor()
    ack = floor.submit(order(volume=20_000))
    fill = floor.quote("10:00:03", 10.0)
    assert floor.submit(order(volume=20_000)) == ack + fill
    assert floor.dirty == []
    assert kinds(floor.quote("10:00:06", 10.0)) == ["filled"]
    assert kinds(floor.submit(order(volume=20_000))) == ["ack", "partially_filled", "filled"]
    assert floor.quote("10:00:09", 10.0) == []


def test_rejected_order_when_submitted_again_then_the_same_rejection() -> None:
    floor = Floor()
    first = floor.submit(order(volume=150))
    assert floor.submit(order(volume=150)) == first
    assert floor.dirty == []


def test_order_when_given_while_closed_then_waits_for_the_next_session() -> None:
    """Section 3, simulated exchange: outside of sessions an order waits for the next one."""
    floor = Floor()
    floor.quote("15:00:00", 10.0)
    assert kinds(floor.submit(order(time="15:00:00"))) == ["ack"]
    floor.clock("15:00:01")
    (fill,) = floor.quote("2026-11-24T09:30:00", 10.1, prev_close=10.0)
    assert (fill.kind, fill.price) == ("filled", 101_000)


def test_waiting_order_when_the_days_limits_exclude_it_then_rejected_at_the_first_price() -> None:
    floor = Floor()
    floor.submit(order(limit=10.5, time="15:00:00"))
    (report,) = floor.quote("2026-11-24T09:30:00", 9.0, prev_close=9.0)  # ex-date: the previous close is not the last price
    assert (report.kind, report.report_seq, report.reason_code) == ("rejected", 2, "price_limit")
    assert floor.dirty == ["o:o1"]


def test_reject_rate_when_set_then_about_that_part_by_seed_and_id_alone() -> None:
    """Section 3, simulated exchange: reject rate, deterministic under a seed."""

    def rejected(seed: int) -> set[str]:
        floor = Floor(ExchangeSettings(reject_rate=0.3, seed=seed))
        return {f"o{n}" for n in range(300) if floor.submit(order(f"o{n}"))[0].reason_code == "random_reject"}

    assert 60 < len(rejected(1)) < 120
    assert rejected(1) == rejected(1)
    assert rejected(1) != rejected(2)


def test_ack_delay_when_set_then_ack_and_fills_come_no_sooner() -> None:
    """Section 3, simulated exchange: acknowledgement delay."""
    floor = Floor(ExchangeSettings(ack_delay_ms=2_000))
    assert floor.submit(order()) == []
    assert floor.dirty == ["o:o1"]
    assert floor.quote("10:00:01", 10.0) == []
    (ack,) = floor.clock("10:00:02")
    assert (ack.kind, ack.ts) == ("ack", order().ts + 2_000)
    assert floor.quote("10:00:02", 10.0) == []
    assert kinds(floor.quote("10:00:03", 10.0)) == ["filled"]


def test_ack_delay_when_cancelled_meanwhile_then_ack_and_cancelled() -> None:
    floor = Floor(ExchangeSettings(ack_delay_ms=2_000))
    floor.submit(order())
    assert floor.cancel(cancel(time="10:00:01")) == []
    assert kinds(floor.quote("10:00:03", 10.0)) == ["ack", "cancelled"]


@pytest.mark.parametrize(
    "wrong", [{"participation": 1.5}, {"slippage_rate": -0.1}, {"reject_rate": 2.0}, {"ack_delay_ms": -1}, {"memory_days": -1}]
)
def test_settings_when_out_of_range_then_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ExchangeSettings(**wrong)  # type: ignore[arg-type]


def test_cage_when_there_is_no_ask_then_the_bid_is_the_reference() -> None:
    """Section 3, price cage: the reference price."""
    floor = Floor()
    floor.quote("09:59:58", 10.0, bid=10.3)
    assert kinds(floor.submit(order(limit=10.51, direction=BUY))) == ["ack"]
    assert floor.submit(order("o2", limit=10.52))[0].reason_code == "price_cage"
