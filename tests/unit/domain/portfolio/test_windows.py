"""Windows: rings of closes, admission for many codes at once, the durable form."""

from __future__ import annotations

import numpy as np

from ginkgo_streams.domain import windows as w
from ginkgo_streams.domain.bars import Need
from ginkgo_streams.domain.windows import Windows, chunk_name
from tests.unit.domain.portfolio.desk import CODE, ID, OTHER, Desk, TestStrategy, config, quote, ts, units


def deepen(windows: Windows, depth: int) -> None:
    windows.want(Need("tick", depth))


def push(windows: Windows, row: int, price: int) -> None:
    windows.updates["close"].push(np.array([row]), np.array([price]))
    windows.touch(np.array([row]))


def fed(prices: list[int], depth: int) -> Windows:
    windows = Windows()
    deepen(windows, depth)
    row = windows.row(CODE)
    for price in prices:
        push(windows, row, price)
    return windows


def closes(windows: Windows, k: int, code: str = CODE) -> list[int]:
    return list(map(int, windows.updates["close"].last(np.array([windows.index[code]]), k)[0]))


def test_ring_gives_the_last_closes_oldest_first() -> None:
    for n in range(1, 12):
        windows = fed(list(range(1, n + 1)), 5)
        held = min(n, 5)
        assert closes(windows, held) == list(range(n - held + 1, n + 1))


def test_ring_that_is_deepened_keeps_what_it_had_and_goes_on() -> None:
    for n in range(1, 9):
        windows = fed(list(range(1, n + 1)), 4)
        deepen(windows, 7)
        assert closes(windows, min(n, 4)) == list(range(max(n - 3, 1), n + 1))
        push(windows, 0, 99)
        assert closes(windows, min(n, 4) + 1)[-1] == 99
        assert closes(windows, min(n, 4) + 1)[:-1] == list(range(max(n - 3, 1), n + 1))


def test_chunk_loads_as_it_was_encoded() -> None:
    for n in range(1, 9):
        windows = fed(list(range(1, n + 1)), 4)
        value = windows.encode(chunk_name(CODE))
        other = Windows()
        deepen(other, 4)
        other.row(OTHER)  # rows may stand elsewhere
        other.load(chunk_name(CODE), value)
        assert other.encode(chunk_name(CODE)) == value
        for both in (windows, other):
            push(both, both.index[CODE], 50)
        assert other.encode(chunk_name(CODE)) == windows.encode(chunk_name(CODE))


def test_prices_that_need_eight_bytes_survive() -> None:
    windows = fed([3, 2**40], 4)
    other = Windows()
    other.load(chunk_name(CODE), windows.encode(chunk_name(CODE)))
    assert closes(other, 2) == [3, 2**40]


def test_5000_codes_of_depth_32_fit_in_about_two_megabytes() -> None:
    windows = Windows()
    deepen(windows, 32)
    for i in range(5000):
        windows.row(f"{i:06d}.SZ")
    ring = windows.updates["close"]
    arrays = (windows.meta, ring.data, ring.head, ring.count, windows.chunk_of, windows.hashes)
    assert sum(array.nbytes for array in arrays) < 2.2e6
    assert max(len(rows) for rows in windows.members) <= 256


def test_code_twice_in_one_event_is_seen_twice_in_order() -> None:
    desk = Desk()
    TestStrategy.asked.clear()
    desk.quotes([quote("10:00:00", 10.0), quote("10:00:00", 10.0, OTHER), quote("10:00:01", 10.1)])
    assert TestStrategy.asked == [[CODE, OTHER], [CODE]]
    assert desk.view().total_value == units(100_000)


def test_only_wanted_codes_are_kept() -> None:
    desk = Desk(config=config(codes=[CODE]))
    assert list(desk.kernel._market.windows.codes) == [CODE]


def test_event_with_days_in_it_closes_the_day_before_its_prices_are_gone() -> None:
    desk = Desk(config=config(sizer_params={"volume": 1000}), ticking=False)
    (order,) = desk.signal("10:00:00", 10.0, 1).orders
    desk.fill(order, 10.0)
    day = 86_400_000
    desk.quotes([quote("2026-11-23T15:00:00", 10.5, interval=day), quote("2026-11-24T15:00:00", 10.9, interval=day, prev_close=10.5)])
    fees = units(5.1)
    assert [row.daily_pnl for row in desk.view().history] == [units(500) - fees, units(400)][: len(desk.view().history)]
    assert desk.view().history[0].daily_pnl == units(500) - fees


def test_new_day_takes_its_previous_close_from_the_last_price() -> None:
    desk = Desk()
    desk.quote("14:59:57", 10.5)
    assert desk.quote("2026-11-24T10:00:00", 11.55).alerts == []  # limit up of 10.50
    assert [a.details["reason"] for a in desk.quote("2026-11-24T10:00:03", 11.56).alerts] == ["limits"]


def test_split_named_by_the_update_is_no_jump() -> None:
    desk = Desk()
    assert desk.quote("2026-11-24T10:00:00", 5.1, prev_close=5.0).alerts == []


def test_wrong_previous_close_gives_way_after_three_refusals_that_agree() -> None:
    desk = Desk()
    reasons = [len(desk.quote(f"2026-11-24T10:00:{i:02d}", 5.0).alerts) for i in range(0, 15, 3)]
    assert reasons == [1, 1, 1, 0, 0]


def test_alert_of_a_refused_price_is_the_same_in_a_replay() -> None:
    first, second = Desk(), Desk()
    assert first.quote("10:00:00", 20.0).alerts == second.quote("10:00:00", 20.0).alerts != []


def test_update_far_ahead_among_good_ones_is_refused_alone() -> None:
    desk = Desk(ticking=False)
    desk.clock("10:00:00")
    desk.quotes([quote("10:00:01", 10.0), quote("11:00:00", 10.0, OTHER), quote("10:00:05.500", 10.0, "300001.SZ")])
    assert desk.kernel.refused == {"future": 1}
    assert desk.kernel.newest == ts("10:00:05.500")
    assert desk.kernel.touched_chunks()[-1] == "clock"


def test_price_of_a_position_without_a_quote_is_its_cost() -> None:
    desk = Desk()
    (order,) = desk.signal("10:00:00", 10.0, 1).orders
    desk.fill(order, 10.0)
    desk.kernel._market.windows.meta[w.PRICE] = 0
    assert desk.view().positions[0].market_value == units(10_000)
    assert desk.view(ID).total_value == units(100_000 - 5.1)
