"""Ex-dates: volume, cost and cash right, a strategy's window adjusted, no false signal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ginkgo_streams.bars.columns import BadBars
from ginkgo_streams.domain.events import CorporateAction
from tests.unit.backtest.samples import CN, days, flat, outcome, plan, portfolio, write

CODE = "000001.SZ"
BUY_FIRST = portfolio("ByDateStrategy", {"plan": {"2026-01-05": f"buy {CODE}"}})


def actions(folder: Path, text: str) -> Path:
    path = folder / "actions.csv"
    path.write_text(text)
    return path


def bars(folder: Path, prices: list[float]) -> Path:
    (folder / "bars").mkdir(exist_ok=True)
    return write(folder / "bars" / f"{CODE}.csv", [flat(price) for price in prices], days(len(prices)))


def test_a_dividend_when_its_ex_date_comes_then_cash_and_cost_follow_and_the_value_stays(tmp_path: Path) -> None:
    path = bars(tmp_path, [10.0, 10.0, 9.5, 9.5])
    result = outcome(plan(path, BUY_FIRST, actions=actions(tmp_path, "ex_date,cash,split\n2026-01-07,0.5,1\n")))
    (held,) = result.positions
    assert (held.volume, held.cost) == (1000, 9_500)
    assert result.final_cash == 100_000 - 10_000 - 5 - 0.1 + 500
    assert result.dividends == 500
    assert [row.total_value for row in result.equity[1:]] == [99_994.9] * 3


def test_a_split_when_its_ex_date_comes_then_shares_follow_and_the_cost_of_all_stays(tmp_path: Path) -> None:
    path = bars(tmp_path, [10.0, 10.0, 5.0, 5.0])
    result = outcome(plan(path, BUY_FIRST, actions=actions(tmp_path, "ex_date,cash,split\n2026-01-07,0,2\n")))
    (held,) = result.positions
    assert (held.volume, held.cost) == (2000, 10_000)
    assert result.final_value == 99_994.9


def test_a_stop_loss_when_a_price_falls_by_its_dividend_then_nothing_is_sold_and_without_the_action_it_is(tmp_path: Path) -> None:
    path = bars(tmp_path, [10.0, 10.0, 9.4, 9.4, 9.4])
    config = BUY_FIRST | {"risk_managements": [{"name": "LossLimitRisk", "params": {"loss_limit": 5.0}}]}
    told = outcome(plan(path, config, actions=actions(tmp_path, "ex_date,cash\n2026-01-07,0.6\n")))
    assert [trade.side for trade in told.trades] == ["BUY"]
    assert [trade.side for trade in outcome(plan(path, config)).trades] == ["BUY", "SELL"]


TRAILING = {"name": "ProfitTargetRisk", "params": {"profit_target": 20.0, "trailing_percent": 9.0}}
"""Bought at 10: from 12 on it sells once the price is 9 % below its peak."""


def test_a_trailing_stop_when_the_price_falls_by_a_dividend_then_its_peak_falls_alike(tmp_path: Path) -> None:
    path = bars(tmp_path, [10.0, 10.0, 11.0, 12.0, 10.9, 10.9])
    config = BUY_FIRST | {"risk_managements": [TRAILING]}
    told = outcome(plan(path, config, actions=actions(tmp_path, "ex_date,cash\n2026-01-09,1.1\n")))
    assert [trade.side for trade in told.trades] == ["BUY"]
    assert [trade.side for trade in outcome(plan(path, config)).trades] == ["BUY", "SELL"]


def test_a_trailing_stop_when_a_split_halves_the_price_then_its_peak_is_halved_and_it_sells_below_that(tmp_path: Path) -> None:
    path = bars(tmp_path, [10.0, 10.0, 11.0, 12.0, 6.0, 5.45, 5.45])
    config = BUY_FIRST | {"risk_managements": [TRAILING]}
    told = outcome(plan(path, config, actions=actions(tmp_path, "ex_date,split\n2026-01-09,2\n")))
    assert [(trade.side, trade.volume, trade.time[:10]) for trade in told.trades] == [
        ("BUY", 1000, "2026-01-06"),
        ("SELL", 2000, "2026-01-13"),
    ]


def test_a_part_that_was_sold_when_a_split_doubles_the_rest_then_no_other_part_is_sold(tmp_path: Path) -> None:
    path = bars(tmp_path, [10.0, 10.0, 11.0, 12.0, 12.0, 6.0, 6.0])
    config = BUY_FIRST | {"risk_managements": [{"name": "ProfitTargetRisk", "params": {"profit_target": 20.0, "partial_ratio": 0.4}}]}
    told = outcome(plan(path, config, actions=actions(tmp_path, "ex_date,split\n2026-01-12,2\n")))
    assert [(trade.side, trade.volume) for trade in told.trades] == [("BUY", 1000), ("SELL", 400)]


def test_moving_averages_when_a_split_halves_the_price_then_no_false_signal(tmp_path: Path) -> None:
    prices = [10.0] * 8 + [5.0] * 8 + [5.1, 5.2]
    config = portfolio(params={"short_period": 2, "long_period": 4})
    path = bars(tmp_path, prices)
    ex = days(len(prices))[8]
    told = outcome(plan(path, config, actions=actions(tmp_path, f"ex_date,split\n{ex},2\n")))
    assert [(order.side, order.time[:10]) for order in told.orders] == [("BUY", str(days(len(prices))[16]))]


def test_adjustment_factors_when_no_actions_are_given_then_ex_dates_follow_from_them_with_a_warning(tmp_path: Path) -> None:
    some = days(4)
    path = tmp_path / f"{CODE}.csv"
    lines = [
        f"{day},{p},{p},{p},{p},1000000,{f}" for day, p, f in zip(some, (10, 10, 9.5, 9.5), (1.0, 1.0, 10 / 9.5, 10 / 9.5), strict=True)
    ]
    path.write_text("date,open,high,low,close,volume,adj_factor\n" + "\n".join(lines) + "\n")
    result = outcome(plan(path, BUY_FIRST))
    assert result.dividends == 500
    assert [row.total_value for row in result.equity[1:]] == [99_994.9] * 3
    assert any("1 ex-dates follow from adj_factor" in line for line in result.warnings)


def test_a_previous_close_that_is_not_the_close_before_when_no_action_is_known_then_warned_of(tmp_path: Path) -> None:
    path = tmp_path / f"{CODE}.csv"
    some = days(2)
    path.write_text(f"date,open,high,low,close,volume,pre_close\n{some[0]},10,10,10,10,1,10\n{some[1]},9.5,9.5,9.5,9.5,1,9.5\n")
    assert any("ex-dates, for which no dividend or split is booked" in line for line in outcome(plan(path, BUY_FIRST)).warnings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cash,split\n1,1\n", "missing column ex_date"),
        ("ex_date\n2026-01-07\n", "missing column cash or split"),
        ("ex_date,cash\n2026-01-07,-1\n", "line 2: column cash: '-1' is negative"),
        ("ex_date,split\n2026-01-07,0\n", "line 2: column split: '0' is not more than 0"),
        ("ex_date,split\nsoon,2\n", "line 2: column ex_date: 'soon' is no date"),
        ("ex_date,split\n2026-01-07,2\n2026-01-07,2\n", "line 3: column ex_date: '2026-01-07' is there twice"),
    ],
)
def test_bad_actions_when_read_then_file_line_column_and_value_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = actions(tmp_path, text)
    with pytest.raises(BadBars, match=said):
        plan(bars(tmp_path, [10.0, 10.0]), BUY_FIRST, CN, actions=path)


@pytest.mark.parametrize(
    ("action", "volume", "income", "price"),
    [({"cash": 5_000 * 10**6}, 1000, 5_000_000, 95_000), ({"split": 1_500_000}, 1500, 0, 66_667),
     ({"cash": 2_361_500_000}, 1000, 2_361_500, 97_639)],
)  # fmt: skip
def test_an_action_when_reckoned_then_exact(action: dict[str, Any], volume: int, income: int, price: int) -> None:
    made = CorporateAction(code=CODE, day=1, **action)
    assert (made.volume(1000), made.income(1000), made.price(100_000)) == (volume, income, price)


def test_shares_that_become_fewer_when_a_sell_is_open_then_it_is_cancelled_first_and_the_books_add_up(tmp_path: Path) -> None:
    path = bars(tmp_path, [10.0, 10.0, 10.0, 20.0, 20.0])
    config = portfolio("ByDateStrategy", {"plan": {"2026-01-05": f"buy {CODE}", "2026-01-07": f"sell {CODE}"}})
    result = outcome(plan(path, config, actions=actions(tmp_path, "ex_date,split\n2026-01-08,0.5\n")))
    assert [(order.side, order.end, order.filled) for order in result.orders] == [("BUY", "filled", 1000), ("SELL", "cancelled", 0)]
    assert [(held.volume, held.cost) for held in result.positions] == [(500, 10_000)]
    assert result.final_value == 99_994.9
