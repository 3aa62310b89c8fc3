"""Short selling under GENERIC: what a short earns and costs to 0.0001, what it may not take, and that it stays off unless switched on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ginkgo_streams.backtest.compare import compare
from ginkgo_streams.backtest.machine import RunFailed
from ginkgo_streams.backtest.prepare import Fees, NoShortSelling, market
from ginkgo_streams.backtest.report.page import page
from ginkgo_streams.backtest.result import Result, encode_result, read_result, results
from ginkgo_streams.backtest.run import Plan, PortfolioSpec, run, trading_days
from ginkgo_streams.backtest.stretches import stretches
from ginkgo_streams.bars.load import Source, load_bars
from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL, TS
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.generic import generic
from ginkgo_streams.domain.registry import builtin
from tests.unit.backtest.samples import FREE, GENERIC, Row, days, flat, outcome, plan, portfolio, walk, write

SHORT = generic(commission_rate=Fraction(1, 1000), short_selling=True)
NO_FEES = generic(short_selling=True)


def ran(
    tmp_path: Path, rows: list[Row], says: dict[int, str], market: Any = SHORT, *, cash: float = 100_000, finalize: bool = False,
    rules: ExchangeSettings = FREE, actions: Path | None = None, **others: Any,
) -> Result:  # fmt: skip
    """The result over bars of X; says: number of a bar (from 0) to what the strategy says at its close."""
    dates = days(len(rows))
    path = write(tmp_path / "X.csv", rows, dates)
    config = portfolio("ByDateStrategy", {"plan": {dates[i].isoformat(): said for i, said in says.items()}}, **others)
    return outcome(plan(path, config, market, cash=cash, finalize=finalize, rules=rules, actions=actions))


def trades(result: Result) -> list[tuple[str, int, float, float, bool]]:
    return [(t.side, t.volume, float(t.price), float(t.profit), t.short) for t in result.trades]


def test_a_short_when_the_price_falls_then_the_profit_of_the_difference_less_both_fees(tmp_path: Path) -> None:
    rows = [flat(10.0), (10.0, 10.0, 9.0, 9.0, 1), (8.5, 8.5, 8.5, 8.5, 1)]
    result = ran(tmp_path, rows, {0: "sell X", 1: "buy X"})
    # 1000 @ 10.00 bring 10,000 less 10; 1000 @ 8.50 cost 8,500 and 8.50
    assert trades(result) == [("SELL", 1000, 10.0, 0, True), ("BUY", 1000, 8.5, 1481.5, True)]
    assert [t.commission for t in result.trades] == [10, 8.5]
    # the end of the day of the sale: cash 109,990, and 1000 shares are owed at 9.00
    assert [(e.total_value, e.positions_value, e.positions) for e in result.equity] == [
        (100_000, 0, 0),
        (100_990, -9000, 1),
        (101_481.5, 0, 0),
    ]
    assert result.equity[1].cash == 109_990
    assert (result.final_cash, result.final_value, result.positions) == (101_481.5, 101_481.5, [])
    s = result.statistics
    assert (s.trades, s.closed, s.win_rate, s.profit_factor, s.fees) == (2, 1, 1.0, None, 18.5)


def test_a_short_when_the_price_rises_then_a_loss_that_counts_as_one(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0), flat(12.3456)]
    result = ran(tmp_path, rows, {0: "sell X", 1: "buy X"})
    # 10,000 - 10 - 12,345.60 - 12.3456
    assert trades(result)[1] == ("BUY", 1000, 12.3456, -2367.9456, True)
    assert result.final_cash == 97_632.0544
    assert (result.statistics.win_rate, result.statistics.closed) == (0.0, 1)


def test_shorts_and_longs_when_both_close_then_profit_factor_and_win_rate_are_of_all_closing_orders(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0), flat(9.0), flat(9.0), flat(8.5)]
    result = ran(tmp_path, rows, {0: "sell X", 1: "buy X", 2: "buy X", 3: "sell X"}, NO_FEES)
    assert [profit for *_, profit, _ in trades(result)] == [0, 1000, 0, -500]
    s = result.statistics
    assert (s.closed, s.win_rate, s.profit_factor) == (2, 0.5, 2.0)


def test_a_sell_of_nothing_held_when_short_selling_is_off_then_no_order(tmp_path: Path) -> None:
    result = ran(tmp_path, [flat(10.0)] * 3, {0: "sell X"}, GENERIC)
    assert (result.orders, result.refusals) == ([], {"no_position": 1})


def test_short_selling_when_asked_for_in_cn_then_refused_in_words() -> None:
    with pytest.raises(NoShortSelling, match="long only: leave out --short, or run under --market GENERIC"):
        market("CN", Fees(), short_selling=True)


def test_a_sell_when_long_then_closes_the_long_and_opens_nothing(tmp_path: Path) -> None:
    result = ran(tmp_path, [flat(10.0)] * 4, {0: "buy X", 1: "sell X"}, NO_FEES)
    assert trades(result) == [("BUY", 1000, 10.0, 0, False), ("SELL", 1000, 10.0, 0, False)]
    assert result.positions == []


def test_a_sell_when_short_then_adds_to_it_and_a_buy_covers_the_whole_at_the_average(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0), flat(11.0), flat(10.0)]
    result = ran(tmp_path, rows, {0: "sell X", 1: "sell X", 2: "buy X"}, NO_FEES)
    assert trades(result)[2] == ("BUY", 2000, 10.0, 1000, True)
    assert result.final_cash == 101_000


def test_a_short_when_sized_by_its_fill_then_as_much_as_the_equity_covers_fees_included(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(12.5), flat(12.5)]
    result = ran(tmp_path, rows, {0: "sell X"}, sizer="AllInSizer", sized={})
    # 7992 × 12.50 = 99,900 and fees of 99.90; one share more would be 100,012.41
    assert trades(result) == [("SELL", 7992, 12.5, 0, True)]
    (held,) = result.positions
    assert (held.volume, held.cost, held.market_value) == (-7992, 99_900, -99_900)
    assert result.final_value == 99_900.1


def test_a_short_when_larger_than_the_equity_then_cut_to_it(tmp_path: Path) -> None:
    result = ran(tmp_path, [flat(10.0)] * 3, {0: "sell X"}, NO_FEES, cash=5_000)
    assert trades(result) == [("SELL", 500, 10.0, 0, True)]


def test_the_proceeds_of_a_short_when_a_buy_asks_for_them_then_not_spent(tmp_path: Path) -> None:
    """Of 10,000 a short of 6,000 leaves 4,000: with 16,000 of cash a buy gets no more."""
    for code in "XY":
        write(tmp_path / f"{code}.csv", [flat(10.0)] * 4, days(4))
    said = {days(4)[0].isoformat(): "sell X", days(4)[1].isoformat(): "buy Y"}
    config = portfolio("ByDateStrategy", {"plan": said}, sized={"volume": 600})
    result = outcome(plan(tmp_path, config, NO_FEES, cash=10_000))
    assert [(t.code, t.side, t.volume) for t in result.trades] == [("X", "SELL", 600), ("Y", "BUY", 400)]
    assert result.final_cash == 12_000


def test_a_second_short_when_the_first_has_lost_then_less_room(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0), flat(12.0), flat(12.0)]
    result = ran(tmp_path, rows, {0: "sell X", 2: "sell X"}, NO_FEES, cash=10_000, sized={"volume": 500})
    # equity 9,000, short 6,000: 3,000 more are 250 shares
    assert [(side, volume) for side, volume, *_ in trades(result)] == [("SELL", 500), ("SELL", 250)]


def test_a_buy_when_a_short_sale_is_still_open_on_the_flat_code_then_dropped(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0, 0), flat(10.0, 0), flat(10.0, 100_000)]
    result = ran(tmp_path, rows, {0: "sell X", 1: "buy X"}, NO_FEES, rules=ExchangeSettings(participation=0.5))
    assert result.refusals["opposite_order"] == 1
    assert trades(result) == [("SELL", 1000, 10.0, 0, True)]


def test_a_cover_when_filled_in_parts_then_each_part_has_its_profit_and_no_second_cover_goes_out(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0), flat(9.0, 600), flat(8.0, 1400)]
    rules = ExchangeSettings(participation=0.5)
    rows[1] = flat(10.0, 2000)
    result = ran(tmp_path, rows, {0: "sell X", 1: "buy X", 2: "buy X"}, NO_FEES, rules=rules)
    assert [(volume, profit) for _, volume, _, profit, _ in trades(result)] == [(1000, 0), (300, 300), (700, 1400)]
    assert result.refusals["not_available"] == 1
    assert result.final_cash == 101_700


def test_a_cover_when_the_cash_does_not_reach_then_as_much_as_it_pays(tmp_path: Path) -> None:
    """The long holds the equity: the short is covered in part, and cash is never negative."""
    write(tmp_path / "X.csv", [flat(10.0), flat(10.0), flat(10.0), flat(25.0), flat(25.0)], days(5))
    write(tmp_path / "Y.csv", [flat(10.0), flat(10.0), flat(10.0), flat(50.0), flat(50.0)], days(5))
    d = [day.isoformat() for day in days(5)]
    config = portfolio("ByDateStrategy", {"plan": {d[0]: "sell X", d[1]: "buy Y", d[3]: "buy X"}}, sized={"volume": 500})
    result = outcome(plan(tmp_path, config, NO_FEES, cash=10_000))
    # cash 10,000 + 5,000 - 5,000; 500 shares at 25.00 cost 12,500
    assert [(t.code, t.side, t.volume) for t in result.trades] == [("X", "SELL", 500), ("Y", "BUY", 500), ("X", "BUY", 400)]
    assert result.final_cash == 0
    assert [(p.code, p.volume) for p in result.positions] == [("X", -100), ("Y", 500)]


def test_a_short_when_it_has_lost_all_there_was_then_the_run_fails_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"2026-01-08 00:00:00 of X: its shorts have lost all it had: the total value is -1000\.00"):
        ran(tmp_path, [flat(10.0), flat(10.0), flat(21.0)], {0: "sell X"}, NO_FEES, cash=10_000)


def test_a_short_at_the_end_when_finalized_then_bought_back_at_the_last_close_and_else_held(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0), (10.0, 10.0, 9.4, 9.5, 1)]
    open_ended = ran(tmp_path, rows, {0: "sell X"})
    assert [(p.volume, p.cost, p.market_value) for p in open_ended.positions] == [(-1000, 10_000, -9500)]
    closed = ran(tmp_path, rows, {0: "sell X"}, finalize=True)
    # 10,000 - 10 - 9,500 - 9.50
    assert trades(closed)[1] == ("BUY", 1000, 9.5, 480.5, True)
    assert closed.positions == []
    assert closed.final_cash == closed.final_value == closed.equity[-1].total_value == 100_480.5
    assert closed.statistics.closed == 1


def test_finalize_when_long_and_short_then_the_long_pays_for_the_short(tmp_path: Path) -> None:
    write(tmp_path / "X.csv", [flat(10.0), flat(10.0), flat(10.0), flat(25.0)], days(4))
    write(tmp_path / "Y.csv", [flat(10.0), flat(10.0), flat(10.0), flat(50.0)], days(4))
    d = [day.isoformat() for day in days(4)]
    config = portfolio("ByDateStrategy", {"plan": {d[0]: "sell X", d[1]: "buy Y"}}, sized={"volume": 500})
    result = outcome(plan(tmp_path, config, NO_FEES, cash=10_000, finalize=True))
    assert [(t.code, t.side, t.profit) for t in result.trades[2:]] == [("Y", "SELL", 20_000), ("X", "BUY", -7500)]
    assert result.final_cash == 22_500


@pytest.mark.parametrize(("risk", "params", "close", "says"), [
    ("LossLimitRisk", {"loss_limit": 10.0}, 11.0, "LossLimitRisk buys back 1000 X: loss of 10.00 % reaches the limit of 10 %"),
    ("ProfitTargetRisk", {"profit_target": 10.0}, 9.0, "ProfitTargetRisk buys back 1000 X: gain of 10.00 % reaches the target of 10 %"),
    ("HoldingPeriodRisk", {"max_days": 1}, 10.0, "HoldingPeriodRisk buys back 1000 X: held for 1 trading days, the most is 1"),
    ("MaxDrawdownRisk", {"warning_drawdown": 0.1, "max_drawdown": 0.2, "critical_drawdown": 0.5}, 10.5,
     "MaxDrawdownRisk buys back 1000 X: 0.50 % below the peak: all is sold from 0.5 % on"),
])  # fmt: skip
def test_a_risk_manager_when_it_forces_a_short_out_then_by_a_buy(
    tmp_path: Path, risk: str, params: dict[str, Any], close: float, says: str
) -> None:
    rows = [flat(10.0), flat(10.0), (10.0, 11.0, 9.0, close, 1), flat(close)]
    result = ran(tmp_path, rows, {0: "sell X"}, NO_FEES, risks=[(risk, params)])
    assert [(side, volume, price) for side, volume, price, *_ in trades(result)] == [("SELL", 1000, 10.0), ("BUY", 1000, close)]
    assert [event.message for event in result.risk_events] == [says]


def test_a_loss_limit_when_the_short_gains_then_quiet(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0), flat(5.0), flat(5.0)]
    assert len(ran(tmp_path, rows, {0: "sell X"}, NO_FEES, risks=[("LossLimitRisk", {"loss_limit": 10.0})]).trades) == 1


def test_a_trailing_profit_target_when_short_then_behind_the_bottom(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0), flat(8.0), flat(7.0), flat(7.3), flat(7.7), flat(7.7)]
    risks = [("ProfitTargetRisk", {"profit_target": 20.0, "trailing_percent": 10.0, "partial_ratio": 0.5})]
    result = ran(tmp_path, rows, {0: "sell X"}, NO_FEES, risks=risks)
    assert [(side, volume, price) for side, volume, price, *_ in trades(result)] == [("SELL", 1000, 10.0), ("BUY", 500, 7.7)]
    assert result.risk_events[0].message.endswith("10 % above the bottom after a gain of 20 %")


def test_a_forced_cover_when_the_strategy_sells_in_the_same_event_then_the_cover_stands(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0), flat(11.0), flat(11.0)]
    result = ran(tmp_path, rows, {0: "sell X", 2: "sell X"}, NO_FEES, risks=[("LossLimitRisk", {"loss_limit": 10.0})])
    assert [side for side, *_ in trades(result)] == ["SELL", "BUY"]
    assert result.refusals == {"risk_overrides": 1}


def test_position_ratio_when_short_then_of_gross_exposure(tmp_path: Path) -> None:
    for code in "XY":
        write(tmp_path / f"{code}.csv", [flat(10.0)] * 4, days(4))
    d = [day.isoformat() for day in days(4)]
    ratios = {"max_position_ratio": 0.2, "max_total_position_ratio": 0.3}
    config = portfolio(
        "ByDateStrategy", {"plan": {d[0]: "sell X", d[1]: "buy Y"}}, sized={"volume": 5000}, risks=[("PositionRatioRisk", ratios)]
    )
    result = outcome(plan(tmp_path, config, NO_FEES))
    assert [(t.code, t.side, t.volume) for t in result.trades] == [("X", "SELL", 2000), ("Y", "BUY", 1000)]


def test_capital_risk_when_short_then_the_collateral_is_not_taken_for_free_cash(tmp_path: Path) -> None:
    rows = [flat(10.0)] * 3
    result = ran(tmp_path, rows, {0: "sell X"}, NO_FEES, sized={"volume": 9_500}, risks=[("CapitalRisk", {"min_cash": 10_000})])
    assert trades(result) == [("SELL", 9000, 10.0, 0, True)]


def test_a_dividend_and_a_split_when_short_then_paid_and_owed(tmp_path: Path) -> None:
    (tmp_path / "actions").mkdir()
    (tmp_path / "actions" / "a.csv").write_text(f"ex_date,cash,split\n{days(4)[2]},0.5,2\n")
    rows = [flat(10.0), flat(10.0), flat(4.75), flat(4.5)]
    result = ran(tmp_path, rows, {0: "sell X", 2: "buy X"}, NO_FEES, actions=tmp_path / "actions" / "a.csv")
    # 10,000 less 500 of dividends less 2000 @ 4.50
    assert trades(result)[1] == ("BUY", 2000, 4.5, 500, True)
    assert result.dividends == -500
    assert result.final_cash == 100_500
    assert [e.total_value for e in result.equity] == [100_000, 100_000, 100_000, 100_500]


def test_a_result_with_shorts_when_written_and_read_then_the_same_and_shown(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0), flat(9.0), flat(9.0)]
    result = ran(tmp_path, rows, {0: "sell X", 1: "buy X"})
    (tmp_path / "a.json").write_bytes(encode_result(result))
    assert compare(read_result(tmp_path / "a.json"), result).same
    shown = page(result, load_bars(Source(bars=tmp_path / "X.csv"), SHORT))
    assert '<td class="l">SELL short</td>' in shown
    assert '<td class="l">BUY to cover</td>' in shown
    assert '<td class="gain">981.00</td>' in shown


def test_a_result_when_nothing_is_short_then_its_json_says_nothing_of_shorts(tmp_path: Path) -> None:
    result = ran(tmp_path, [flat(10.0)] * 3, {0: "buy X"}, GENERIC)
    assert b'"short"' not in encode_result(result)


def test_a_portfolio_when_prospects_say_nothing_of_shorts_then_no_moment_is_passed_over(tmp_path: Path) -> None:
    """TrendFollowStrategy is long only, but it foresees its own signals: what a short does to a portfolio it does not."""
    path = write(tmp_path / "X.csv", walk(60, 3), days(60))
    config = portfolio(params={"short_period": 3, "long_period": 10}, sized={"volume": 10})
    made = plan(path, config, NO_FEES)
    machine = run(made)
    assert stretches(made.bars, trading_days(NO_FEES, made.bars.data[TS, made.bars.edges[:-1]]), machine.portfolios, NO_FEES) is None
    assert {t.short for t in results(made, machine)[0].trades} == {False}


def test_a_second_short_of_a_code_when_the_ratio_is_used_up_then_cut_by_what_is_short_already(tmp_path: Path) -> None:
    risks = [("PositionRatioRisk", {"max_position_ratio": 0.15, "max_total_position_ratio": 0.8})]
    result = ran(tmp_path, [flat(10.0)] * 4, {0: "sell X", 1: "sell X"}, NO_FEES, risks=risks)
    assert [(side, volume) for side, volume, *_ in trades(result)] == [("SELL", 1000), ("SELL", 500)]


def two(folder: Path, x: list[float], y: list[float], said: dict[int, str], cash: float, **others: Any) -> Result:
    """The result over bars of X and Y that do not move."""
    for code, prices in (("X", x), ("Y", y)):
        write(folder / f"{code}.csv", [flat(price) for price in prices], days(len(prices)))
    plan_ = {days(len(x))[i].isoformat(): says for i, says in said.items()}
    return outcome(plan(folder, portfolio("ByDateStrategy", {"plan": plan_}, **others), NO_FEES, cash=cash))


def test_all_in_when_something_is_short_then_the_part_that_the_risk_chain_leaves_is_of_what_may_be_spent(tmp_path: Path) -> None:
    """Of 10,000 a short of 4,000 (40 %) leaves 6,000: 4,000 of it are bought."""
    risks = [("PositionRatioRisk", {"max_position_ratio": 0.4, "max_total_position_ratio": 0.8})]
    result = two(tmp_path, [10.0] * 4, [10.0] * 4, {0: "sell X", 1: "buy Y"}, 10_000, sizer="AllInSizer", sized={}, risks=risks)
    assert [(t.code, t.volume) for t in result.trades] == [("X", 400), ("Y", 400)]


def test_capital_risk_when_a_short_is_held_then_its_proceeds_are_not_taken_for_free_cash(tmp_path: Path) -> None:
    risks = [("CapitalRisk", {"min_cash": 3_000})]
    result = two(tmp_path, [10.0] * 4, [10.0] * 4, {0: "sell X", 1: "buy Y"}, 10_000, sized={"volume": 400}, risks=risks)
    # 14,000 of cash less 8,000 less 3,000
    assert [(t.code, t.volume) for t in result.trades] == [("X", 400), ("Y", 300)]


def test_two_covers_when_the_cash_is_tight_then_each_gets_its_part_of_it(tmp_path: Path) -> None:
    """Shorts of 5,000 each stand at 9,500 each, the cash is 20,000: no cover takes what the other needs."""
    limits = [("LossLimitRisk", {"loss_limit": 80.0})]
    prices = [10.0, 10.0, 10.0, 19.0, 19.0]
    result = two(tmp_path, prices, prices, {0: "sell X", 1: "sell Y"}, 10_000, sized={"volume": 500}, risks=limits)
    assert [(t.code, t.side, t.volume) for t in result.trades[2:]] == [("X", "BUY", 500), ("Y", "BUY", 500)]
    assert result.final_cash == 1_000


def test_a_buy_when_a_cover_is_on_its_way_then_the_cash_set_aside_for_it_counts(tmp_path: Path) -> None:
    """Cash 15,000 with a short of 5,000 whose cover holds 7,500: 5,000 may be spent, as before the cover."""
    limits = [("LossLimitRisk", {"loss_limit": 0.0001})]
    result = two(tmp_path, [10.0, 10.0, 10.01, 10.01], [10.0] * 4, {0: "sell X", 2: "buy Y"}, 10_000, sized={"volume": 500}, risks=limits)
    # the equity is 9,995 and the short 5,005
    assert [(t.code, t.side, t.volume) for t in result.trades[1:]] == [("X", "BUY", 500), ("Y", "BUY", 499)]


def test_a_short_sale_when_filled_in_parts_then_the_collateral_of_the_rest_stays_set_aside(tmp_path: Path) -> None:
    path = write(tmp_path / "X.csv", [flat(10.0), flat(10.0, 800)], days(2))
    config = portfolio("ByDateStrategy", {"plan": {days(2)[0].isoformat(): "sell X"}})
    machine = run(plan(path, config, NO_FEES, cash=20_000, rules=ExchangeSettings(participation=0.5)))
    ledger = machine.portfolios.portfolios["p1"].ledger
    # set aside for an open of 15.00; 400 are sold at 10.00
    assert (ledger.frozen, ledger.cash) == (110_000_000, 130_000_000)


def test_a_position_when_short_then_its_view_has_the_direction_and_the_gain(tmp_path: Path) -> None:
    path = write(tmp_path / "X.csv", [flat(10.0), flat(10.0), flat(9.0)], days(3))
    config = portfolio("ByDateStrategy", {"plan": {days(3)[0].isoformat(): "sell X"}})
    (row,) = run(plan(path, config, NO_FEES)).portfolios.view("p1").positions
    assert (row.direction, row.volume, row.available) == (-1, 1000, 1000)
    assert (row.cost, row.cost_price, row.market_value, row.profit_loss) == (100_000_000, 100_000, -90_000_000, 10_000_000)


def test_a_dividend_when_the_cash_does_not_pay_it_then_the_run_fails_and_says_so(tmp_path: Path) -> None:
    """The cash is set aside for a cover that no volume fills."""
    (tmp_path / "actions").mkdir()
    (tmp_path / "actions" / "a.csv").write_text(f"ex_date,cash,split\n{days(5)[4]},3,1\n")
    rows = [flat(10.0), flat(10.0), flat(19.0), flat(19.0, 0), flat(16.0, 0)]
    with pytest.raises(RunFailed, match=r"it owes 3000\.00 of dividends for 1000 X sold short, and has 0\.00 of free cash"):
        ran(tmp_path, rows, {0: "sell X", 2: "buy X"}, NO_FEES, cash=10_000, actions=tmp_path / "actions" / "a.csv",
            rules=ExchangeSettings(participation=1.0))  # fmt: skip


def test_pending_when_a_cover_is_open_then_it_is_none_that_opens(tmp_path: Path) -> None:
    bars = load_bars(Source(bars=write(tmp_path / "X.csv", [flat(10.0), flat(10.0), flat(10.0, 0), flat(10.0)], days(4))), NO_FEES)
    spec = PortfolioSpec("p1", "mine", 100_000, portfolio("PendingStrategy", {}))
    rules = ExchangeSettings(participation=1.0)
    made = Plan(portfolios=[spec], bars=bars, profile=NO_FEES, rules=rules, registry=builtin.plus([PendingStrategy]))
    assert [(t.side, t.volume) for t in outcome(made).trades] == [("SELL", 1000), ("BUY", 1000)]


def test_a_selector_when_it_did_not_choose_a_code_then_no_short_of_it(tmp_path: Path) -> None:
    for code, step in (("X", 0.1), ("Y", 0.0)):
        write(tmp_path / f"{code}.csv", [flat(round(10 + step * i, 2), 1000) for i in range(8)], days(8))
    said = {days(8)[5].isoformat(): "sell Y", days(8)[6].isoformat(): "sell X"}
    config = portfolio("ByDateStrategy", {"plan": said}, selector={"name": "MomentumSelector", "params": {"lookback": 2, "top_n": 1}})
    result = outcome(plan(tmp_path, config, NO_FEES))
    assert [(t.code, t.side) for t in result.trades] == [("X", "SELL")]
    assert result.refusals["not_selected"] == 1


def test_a_buy_of_a_short_when_it_names_a_volume_then_that_part_is_covered_and_never_more_than_the_short(tmp_path: Path) -> None:
    bars = load_bars(Source(bars=write(tmp_path / "X.csv", [flat(10.0)] * 6, days(6))), NO_FEES)
    spec = PortfolioSpec("p1", "mine", 100_000, portfolio("PartStrategy", {}))
    made = Plan(portfolios=[spec], bars=bars, profile=NO_FEES, rules=FREE, registry=builtin.plus([PartStrategy]))
    assert [(t.side, t.volume) for t in outcome(made).trades] == [("SELL", 1000), ("BUY", 300), ("BUY", 700)]


class PartStrategy:
    """Sells short, buys back 300, then 5000."""

    kind: Kind = "strategy"
    component_id = "part_strategy_uuid"

    from ginkgo_streams.domain.selectors.all import AllParams as Params

    def __init__(self, params: Any) -> None:
        pass

    def history(self) -> int:
        return 1

    def signals(self, batch: Any, account: Any, state: dict[str, Any]) -> list[Signal]:
        steps = {0: (SELL, 0), 1: (BUY, 300), 2: (BUY, 5000)}
        at = state["at"] = state.get("at", -1) + 1
        seen = [account.volume("X"), account.available("X"), account.pending("X")]
        assert seen == [[0, 0, 0], [-1000, 1000, 0], [-700, 700, 0], [0, 0, 0]][min(at, 3)]
        return [Signal("X", steps[at][0], int(batch.ts[0]), "planned", steps[at][1])] if at in steps else []


class PendingStrategy(PartStrategy):
    """Sells short, then buys all back, and looks at what is pending meanwhile."""

    component_id = "pending_strategy_uuid"

    def signals(self, batch: Any, account: Any, state: dict[str, Any]) -> list[Signal]:
        at = state["at"] = state.get("at", -1) + 1
        seen = (account.volume("X"), account.available("X"), account.pending("X"), account.engaged)
        assert seen == [(0, 0, 0, []), (-1000, 1000, 0, ["X"]), (-1000, 0, 0, ["X"]), (0, 0, 0, [])][at]
        return [Signal("X", SELL if at == 0 else BUY, int(batch.ts[0]), "planned")] if at < 2 else []
