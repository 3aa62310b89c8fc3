"""Section 3 of the trading rules as portfolio and exchange apply it, where the tests of the single rules do not; and that no row is without
a test that names it ("Section 3, <row>" at the start of its docstring)."""

from __future__ import annotations

import ast
from datetime import date
from pathlib import Path

import pytest

from ginkgo_streams.domain import pricing
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.market import fees, limits
from tests.unit.domain.exchange.floor import Floor, cancel, kinds, order
from tests.unit.domain.market.shanghai import day, profile
from tests.unit.domain.portfolio.desk import CODE, OTHER, Desk, config, held, units

CN = profile()
DAY = 86_400_000

ROWS = (
    "tick", "lot", "T+1", "price limits", "price cage", "sessions", "commission", "stamp duty", "transfer fee", "worked cases", "calendar",
    "dated tables", "simulated exchange",
)  # fmt: skip
STATEMENTS = (
    "a market order fills at ask or bid", "slippage", "participation", "rejected with the reason", "suspended code", "at limit up",
    "at limit down", "one-price limit day", "day orders expire at the close", "acknowledgement delay", "reject rate", "disconnect rate",
    "deterministic under a seed",
)  # fmt: skip
"""Of the simulated exchange, words of each."""


def named() -> list[str]:
    """The docstrings of the unit and property tests that name a row."""
    found = []
    for path in sorted(
        p for folder in ("unit/domain", "unit/backtest", "property") for p in (Path(__file__).parents[3] / folder).rglob("test_*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            said = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") else None
            if said is not None and said.startswith("Section 3, "):
                found.append(" ".join(said.split()).removeprefix("Section 3, "))
    return found


def test_section_3_when_its_rows_are_read_then_each_has_a_test_that_names_it() -> None:
    tests = named()
    assert [row for row in ROWS if not any(test.split(":")[0].rstrip(".") == row for test in tests)] == []
    exchange = [test for test in tests if test.startswith("simulated exchange")]
    assert [words for words in STATEMENTS if not any(words in test for test in exchange)] == []


# ---- rows ----


@pytest.mark.parametrize(("price", "buy", "sell"), [(98_700, 99_700, 97_700), (100_000, 101_000, 99_000), (10_100, 10_300, 9_900)])
def test_limits_of_portfolios_when_a_percent_is_between_two_ticks_then_on_the_tick_that_reaches_further(
    price: int, buy: int, sell: int
) -> None:
    """Section 3, tick: 0.01 CNY."""
    assert CN.tick == 100
    assert pricing.limit_price(CN, CODE, BUY, price, 0, 0, day("2026-11-23")) == buy
    assert pricing.limit_price(CN, CODE, SELL, price, 0, 0, day("2026-11-23")) == sell


def test_a_limit_when_off_the_tick_then_rejected_and_on_it_taken() -> None:
    """Section 3, tick: at the exchange."""
    floor = Floor()
    assert [report.reason_code for report in floor.submit(order("off", limit=9.999))] == ["bad_tick"]
    assert kinds(floor.submit(order("on", limit=9.99))) == ["ack"]


@pytest.mark.parametrize(("code", "wished", "volume"), [(CODE, 1_099, 1_000), ("688001.SH", 1_099, 1_099), ("688001.SH", 199, 0),
                                                       ("920799.BJ", 101, 101), ("920799.BJ", 99, 0)])  # fmt: skip
def test_a_buy_when_sized_between_lots_then_rounded_down_to_the_lot_of_its_board(code: str, wished: int, volume: int) -> None:
    """Section 3, lot: of each board, in an order."""
    desk = Desk(config(sizer_params={"volume": wished}))
    desk.quote("09:59:58", 10.0, code, prev_close=10.0)
    assert [each.volume for each in desk.signal("10:00:00", 10.0, BUY, code).orders] == ([volume] if volume else [])


def test_an_odd_lot_when_sold_then_in_one_order_with_the_rest() -> None:
    """Section 3, lot: a remainder under 100 is sold in one order."""
    desk = held(1_000)
    position, line = desk.portfolio().ledger.positions[CODE], desk.portfolio().ledger.lines[CODE]
    position.volume, line.converted = 1_030, 30  # a split leaves 30 more
    assert [each.volume for each in desk.signal("10:00:00", 10.0, SELL).orders] == [1_030]


def test_shares_when_bought_before_a_holiday_then_sold_on_the_first_trading_day_behind_it_and_not_before() -> None:
    """Section 3, T+1: over the National Day."""
    desk = Desk(opened=False)
    desk.create("p1")
    desk.command("portfolio.start", time="2026-09-30T09:00:00")
    desk.bought(time="2026-09-30T10:00:00")
    assert desk.signal("2026-09-30T14:00:00", 10.0, SELL).orders == []
    assert desk.view().drops == {"not_available": 1}
    desk.clock("2026-09-30T15:00:01")
    assert [each.volume for each in desk.signal("2026-10-08T09:30:03", 10.0, SELL).orders] == [1_000]


def test_proceeds_when_a_sale_has_filled_then_they_buy_at_once() -> None:
    """Section 3, T+1: sale proceeds can be reused at once."""
    desk = held(1_000, cash=10_200)
    desk.quote("09:59:58", 10.0, OTHER, prev_close=10.0)
    assert desk.signal("10:00:00", 10.0, BUY, OTHER).orders == []
    (sale,) = desk.signal("10:01:00", 10.0, SELL).orders
    desk.fill(sale, 10.0, time="10:01:03")
    assert [each.code for each in desk.signal("10:02:06", 10.0, BUY, OTHER).orders] == [OTHER]


@pytest.mark.parametrize("code", ["920799.BJ", "830799.BJ", "430047.BJ"])
def test_a_bse_code_when_of_any_prefix_then_its_limits_and_lots_are_those_of_bse(code: str) -> None:
    """Section 3, price limits: BSE's code prefixes, 920 and formerly 8xxxxx and 4xxxxx."""
    assert CN.price_limits(code, 98_700, day("2026-11-23")) == (69_100, 128_300)
    assert CN.valid_volume(code, BUY, 101, None) is None


@pytest.mark.parametrize(("st", "on", "expected"), [
    (True, "2026-07-03", (93_800, 103_600)), (True, "2026-07-05", (93_800, 103_600)), (True, "2026-07-06", (88_800, 108_600)),
    (False, "2026-07-03", (88_800, 108_600)), (False, "2026-07-06", (88_800, 108_600)),
])  # fmt: skip
def test_st_on_the_main_board_when_around_2026_07_06_then_five_and_then_ten_percent(st: bool, on: str, expected: tuple[int, int]) -> None:
    """Section 3, price limits: the worked case 9.87, and ST around its change."""
    assert CN.price_limits(CODE, 98_700, day(on), st) == expected


@pytest.mark.parametrize(("limit", "direction", "taken"), [
    (10.21, BUY, True), (10.22, BUY, False), (9.79, SELL, True), (9.78, SELL, False),
])  # fmt: skip
def test_the_cage_when_in_continuous_trading_then_bounds_and_in_the_auctions_does_not(limit: float, direction: int, taken: bool) -> None:
    """Section 3, price cage: at the exchange, in continuous trading only. Ask 10.01 and bid 9.99 are the references."""
    floor = Floor()
    assert kinds(floor.submit(order("continuous", limit=limit, direction=direction))) == ["ack" if taken else "rejected"]
    for number, time in enumerate(("09:20:00", "09:27:00", "14:57:00")):
        assert kinds(floor.submit(order(f"auction {number}", limit=limit, direction=direction, time=time))) == ["ack"]


# ---- the simulated exchange ----


@pytest.mark.parametrize(("direction", "price", "other"), [(BUY, 11.0, SELL), (SELL, 9.0, BUY)])
def test_a_one_price_limit_day_when_traded_on_then_only_against_the_queue(direction: int, price: float, other: int) -> None:
    """Section 3, simulated exchange: one-price limit day, the whole bar at limit up or limit down."""
    floor = Floor(opened=False)
    floor.quote("2026-11-20T15:00:00", 10.0, prev_close=10.0, interval=DAY)
    for name, side, limit in (("market", direction, 0.0), ("at the limit", direction, price), ("other side", other, 0.0)):
        floor.submit(order(name, limit=limit, direction=side, time="2026-11-23T09:00:00"))
    reports = floor.quote("15:00:00", price, 1_000_000, open=price, high=price, low=price, prev_close=10.0, interval=DAY)
    assert [(report.order_id, report.price) for report in reports] == [("other side", units(price))]
    assert {report.order_id for report in floor.clock("15:00:01") if report.kind == "expired"} == {"market", "at the limit"}


def test_a_suspended_code_when_it_has_no_price_all_day_then_its_orders_stand_can_be_cancelled_and_expire_unfilled() -> None:
    """Section 3, simulated exchange: suspended code. It is one without prices: that it will have none, nobody tells the exchange."""
    floor = Floor()
    floor.clock("15:00:01")
    assert kinds(floor.submit(order("kept", time="2026-11-24T09:31:00"))) == ["ack"]
    assert kinds(floor.submit(order("dropped", time="2026-11-24T09:31:00"))) == ["ack"]
    assert kinds(floor.cancel(cancel("dropped", "2026-11-24T10:00:00"))) == ["cancelled"]
    assert floor.clock("2026-11-24T15:00:00") == []
    assert [(report.order_id, report.kind) for report in floor.clock("2026-11-24T15:00:01")] == [("kept", "expired")]


def test_a_suspended_code_when_its_bars_have_no_volume_then_nothing_fills() -> None:
    """Section 3, simulated exchange: suspended code, as vendors give it: the last close again, and no volume."""
    floor = Floor()
    floor.submit(order())
    assert floor.quote("15:00:00", 10.0, 0, open=10.0, high=10.0, low=10.0, interval=300_000) == []


def test_participation_when_not_set_then_a_tenth_of_what_was_traded_since_the_last_update() -> None:
    """Section 3, simulated exchange: participation, 10 % unless set."""
    floor = Floor()
    floor.submit(order(volume=10_000))
    assert [floor.quote(f"10:00:0{n}", 10.0, volume)[0].volume for n, volume in ((3, 12_000), (6, 30_000))] == [1_200, 3_000]


@pytest.mark.parametrize(("time", "price"), [("09:25:00", 10.1), ("09:30:03", 10.2), ("14:58:00", 10.3), ("15:00:00", 10.4)])
def test_an_order_when_given_before_the_open_then_filled_by_the_first_price_of_auction_or_continuous_trading(
    time: str, price: float
) -> None:
    """Section 3, sessions: both auctions and continuous trading fill."""
    floor = Floor(opened=False)
    floor.quote("2026-11-20T15:00:00", 10.0, prev_close=10.0)
    floor.submit(order(time="09:16:00"))
    assert [(report.kind, report.price) for report in floor.quote(time, price, prev_close=10.0)] == [("filled", units(price))]


def test_changes_of_rules_when_listed_then_they_are_days_that_exist_in_order() -> None:
    """Section 3, dated tables: a rule has a valid-from date."""
    starts = {
        "stamp duty": fees.STAMP_DUTY, "transfer fee": fees.TRANSFER_FEE, "transfer fee of BSE": fees.TRANSFER_FEE_BSE,
        "ST": limits.ST_LIMIT, "ChiNext": limits.LIMITS["chinext"],
    }  # fmt: skip
    assert {name: [date.fromordinal(each).isoformat() for each in dated.changes] for name, dated in starts.items()} == {
        "stamp duty": ["2023-08-28"], "transfer fee": ["2022-04-29"], "transfer fee of BSE": ["2022-04-29"], "ST": ["2026-07-06"],
        "ChiNext": ["2020-08-24"],
    }  # fmt: skip
