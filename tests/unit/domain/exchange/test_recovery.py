"""After a crash: orders are as durable as their reports, codes and clock are from the last checkpoint, inputs come again."""

from __future__ import annotations

from ginkgo_streams.domain.exchange.exchange import Exchange
from tests.unit.domain.exchange.floor import Floor, always, cancel, kinds, order, quotes, row


def reborn(floor: Floor, values: dict[str, bytes]) -> Exchange:
    """A new exchange from durable values."""
    exchange = Exchange(floor.profile, floor.settings)
    for key, value in values.items():
        exchange.load(key, value)
    return exchange


def test_recovery_when_one_order_has_an_update_and_another_not_then_the_other_gets_what_was_left() -> None:
    floor = Floor()
    floor.submit(order("a", volume=600, time="09:59:58"))
    floor.submit(order("b", volume=2_000, time="09:59:59"))
    before = {key: floor.exchange.encode(key) for key in floor.exchange.touched()}
    update = quotes(row("10:00:03", 10.0, 10_000))
    expected = floor.exchange.on_quotes(update, always).reports
    assert [(report.order_id, report.volume) for report in expected] == [("a", 600), ("b", 400)]

    for durable in ("o:a", "o:b"):
        exchange = reborn(floor, before | {durable: floor.exchange.encode(durable)})
        again = exchange.on_quotes(update, lambda key, durable=durable: key != durable)  # type: ignore[misc]
        assert again.reports == [report for report in expected if f"o:{report.order_id}" != durable]
        assert {key: exchange.encode(key) for key in before} == {key: floor.exchange.encode(key) for key in before}


def test_recovery_when_the_code_has_seen_an_update_then_it_is_skipped_for_all_its_orders() -> None:
    floor = Floor()
    floor.submit(order(volume=20_000))
    update = quotes(row("10:00:03", 10.0))
    floor.exchange.on_quotes(update, always)
    exchange = reborn(floor, {key: floor.exchange.encode(key) for key in floor.exchange.touched()})
    assert exchange.on_quotes(update, lambda key: key != "c:000001.SZ").reports == []


def test_recovery_when_inputs_of_orders_come_again_then_each_report_is_only_repeated() -> None:
    floor = Floor()
    floor.submit(order(volume=20_000))
    floor.quote("10:00:03", 10.0)
    floor.cancel(cancel())
    exchange = reborn(floor, {key: floor.exchange.encode(key) for key in floor.exchange.touched()})
    assert exchange.reports() == floor.reports
    assert exchange.submit(order(volume=20_000)).reports == floor.reports
    assert exchange.cancel(cancel()).reports == floor.reports
    assert exchange.touched() == []


def test_recovery_when_the_clock_is_ahead_of_an_order_then_the_order_still_expires() -> None:
    floor = Floor()
    floor.submit(order(limit=9.9))
    open_order = floor.exchange.encode("o:o1")
    assert kinds(floor.clock("15:00:01")) == ["expired"]
    exchange = reborn(floor, {"clock": floor.exchange.encode("clock"), "o:o1": open_order})
    assert kinds(exchange.on_clock(floor.exchange._clock, always).reports) == ["expired"]


def test_recovery_when_an_order_was_forgotten_then_it_stays_refused() -> None:
    floor = Floor()
    floor.submit(order())
    assert kinds(floor.clock("2026-11-27T09:00:00")) == ["expired"]
    values = {key: floor.exchange.encode(key) for key in floor.exchange.touched()}
    assert "o:o1" not in floor.exchange.touched()
    floor.clock("2026-11-27T09:00:01")
    assert floor.dirty == ["o:o1"]
    for lost in ({}, {"o:o1": floor.exchange.encode("o:o1")}):
        (report,) = reborn(floor, values | lost).submit(order()).reports[-1:]
        assert report.reason_code == "too_old" if lost else report.kind == "expired"


def test_touched_when_encoded_then_orders_come_before_codes_and_codes_before_the_clock() -> None:
    floor = Floor()
    floor.submit(order())
    floor.clock("10:00:01")
    assert floor.exchange.touched() == ["o:o1", "c:000001.SZ", "clock"]
    for key in floor.exchange.touched():
        floor.exchange.encode(key)
    assert floor.exchange.touched() == []


def test_recovery_when_an_update_was_refused_by_earlier_limits_then_not_admitted_by_later_ones() -> None:
    floor = Floor()
    floor.submit(order())
    refused = quotes(row("10:00:09", 11.5))
    assert floor.exchange.on_quotes(refused, always).reports == []
    floor.quote("10:00:03", 10.5, volume=0, prev_close=10.5)  # corrected: up to 11.55 now
    exchange = reborn(floor, {key: floor.exchange.encode(key) for key in floor.exchange.touched()})
    assert exchange.on_quotes(refused, lambda key: key != "c:000001.SZ").reports == []
