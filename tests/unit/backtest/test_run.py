"""A run: when and at what a signal is filled, what ends it, and that nothing looks ahead."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ginkgo_streams.backtest.lookahead import check, shifted, truncated
from ginkgo_streams.backtest.machine import Machine, RunFailed
from ginkgo_streams.backtest.run import BadPortfolio, Plan, run
from ginkgo_streams.domain.events import TS
from ginkgo_streams.domain.exchange.settings import ExchangeSettings
from ginkgo_streams.domain.market.generic import generic
from ginkgo_streams.messages import ms
from tests.unit.backtest.samples import GENERIC, Row, days, flat, outcome, plan, portfolio, walk, write

CODE = "000001.SZ"
TREND = portfolio(params={"short_period": 2, "long_period": 5})


def by_date(said: dict[str, str], **others: Any) -> dict[str, Any]:
    return portfolio("ByDateStrategy", {"plan": said}, **others)


def test_a_signal_on_a_bar_when_cn_then_filled_at_the_next_open_and_not_on_its_own(tmp_path: Path) -> None:
    rows = [flat(10.0), (10.05, 10.3, 9.9, 10.2, 1_000_000), flat(10.2)]
    path = write(tmp_path / f"{CODE}.csv", rows, days(3))
    result = outcome(plan(path, by_date({"2026-01-05": f"buy {CODE}"})))
    (trade,) = result.trades
    assert (trade.price, trade.volume, trade.commission, trade.transfer_fee) == (10.05, 1000, 5, 0.1005)
    assert (trade.order_time, trade.time) == ("2026-01-05T07:00:00.000Z", "2026-01-06T07:00:00.000Z")
    assert trade.reason == "ByDateStrategy: planned"
    assert [row.total_value for row in result.equity] == [100_000, 100_000 - 10_050 - 5.1005 + 10_200, 100_000 - 10_050 - 5.1005 + 10_200]


def test_shares_bought_when_signalled_to_sell_the_same_evening_then_sold_at_the_open_behind_and_never_on_the_day(tmp_path: Path) -> None:
    path = write(tmp_path / f"{CODE}.csv", [flat(10.0)] * 5, days(5))
    result = outcome(plan(path, by_date({"2026-01-05": f"buy {CODE}", "2026-01-06": f"sell {CODE}"})))
    assert [(t.side, t.time[:10]) for t in result.trades] == [("BUY", "2026-01-06"), ("SELL", "2026-01-07")]
    assert result.trades[1].stamp_duty == 5
    assert result.trades[1].profit == pytest.approx(-5 - 5 - 5 - 0.2)


def test_an_order_that_is_never_reached_when_its_day_ends_then_expired_and_its_cash_free(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.9), flat(10.9)]
    path = write(tmp_path / f"{CODE}.csv", rows, days(3))
    result = outcome(plan(path, by_date({"2026-01-05": f"buy {CODE}"})))
    (order,) = result.orders
    assert (order.end, order.end_time, order.filled) == ("expired", "2026-01-06T07:00:00.000Z", 0)
    assert result.final_cash == 100_000


def reference(rows: list[Row], short: int, long: int, cash: int, rate: Fraction, minimum: int) -> tuple[list[tuple[str, int, int]], int]:
    """A loop that knows nothing of Ginkgo: moving averages, all in at the next open, flat at a death cross. Units of 0.0001."""
    closes = [round(row[3] * 10_000) for row in rows]
    opens = [round(row[0] * 10_000) for row in rows]
    trades: list[tuple[str, int, int]] = []
    held, wish = 0, ""

    def fee(amount: int) -> int:
        return max(minimum, int(amount * rate + Fraction(1, 2)))

    for i in range(len(rows)):
        if wish == "BUY":
            volume = cash // opens[i]
            while volume and volume * opens[i] + fee(volume * opens[i]) > cash:
                volume -= 1
            held, cash = volume, cash - volume * opens[i] - fee(volume * opens[i])
            trades.append(("BUY", volume, opens[i]))
        elif wish == "SELL":
            cash += held * opens[i] - fee(held * opens[i])
            trades.append(("SELL", held, opens[i]))
            held = 0
        wish = ""
        if i >= long:
            now = Fraction(sum(closes[i - short + 1 : i + 1]), short) - Fraction(sum(closes[i - long + 1 : i + 1]), long)
            before = Fraction(sum(closes[i - short : i]), short) - Fraction(sum(closes[i - long : i]), long)
            if now > 0 >= before and not held:
                wish = "BUY"
            elif now < 0 <= before and held:
                wish = "SELL"
    if held:
        cash += held * closes[-1] - fee(held * closes[-1])
        trades.append(("SELL", held, closes[-1]))
    return trades, cash


@pytest.mark.parametrize(("rate", "minimum"), [(Fraction(0), 0), (Fraction(1, 1000), 0), (Fraction(3, 10_000), 50_000)])
def test_generic_all_in_when_run_then_the_trades_and_the_cash_of_a_plain_loop(tmp_path: Path, rate: Fraction, minimum: int) -> None:
    rows = walk(300, 7, spread=0.4)  # no limits, no jump is too far
    path = write(tmp_path / "X.csv", rows, days(300))
    market = generic(commission_rate=rate, minimum_commission=minimum)
    config = portfolio(params={"short_period": 3, "long_period": 10}, sizer="AllInSizer", sized={})
    result = outcome(plan(path, config, market, finalize=True))
    trades, cash = reference(rows, 3, 10, 1_000_000_000, rate, minimum)
    assert [(t.side, t.volume, round(t.price * 10_000)) for t in result.trades] == trades
    assert len(trades) > 20
    assert round(result.final_cash * 10_000) == cash
    assert result.final_value == result.final_cash == result.equity[-1].total_value
    assert {order.end for order in result.orders} == {"filled"}


def test_generic_fixed_volume_when_the_open_jumps_then_filled_whole_and_cut_only_by_the_cash(tmp_path: Path) -> None:
    path = write(tmp_path / "X.csv", [flat(10.0, 1), flat(14.0, 1), flat(14.0, 1)], days(3))
    said = {"2026-01-05": "buy X"}
    assert [(t.volume, t.price) for t in outcome(plan(path, by_date(said), GENERIC, cash=20_000)).trades] == [(1000, 14)]
    assert [(t.volume, t.price) for t in outcome(plan(path, by_date(said), GENERIC, cash=10_000)).trades] == [(714, 14)]


@pytest.mark.parametrize(("first", "bought", "sold", "duty"), [
    ("2023-08-23", "2023-08-23", "2023-08-24", 10), ("2023-08-23", "2023-08-24", "2023-08-25", 5),  # filled on Friday 25th, Monday 28th
])  # fmt: skip
def test_stamp_duty_when_a_run_goes_over_its_change_then_that_of_the_day_of_the_fill(
    tmp_path: Path, first: str, bought: str, sold: str, duty: float
) -> None:
    """Section 3, dated tables: a backtest uses the rule of its day."""
    path = write(tmp_path / f"{CODE}.csv", [flat(10.0)] * 5, days(5, first))
    result = outcome(plan(path, by_date({bought: f"buy {CODE}", sold: f"sell {CODE}"})))
    assert [trade.stamp_duty for trade in result.trades] == [0, duty]


@pytest.mark.parametrize(("day", "fee"), [("2022-04-27", 0.2), ("2022-04-28", 0.1)])
def test_transfer_fee_when_a_run_goes_over_its_change_then_that_of_the_day_of_the_fill(tmp_path: Path, day: str, fee: float) -> None:
    """Section 3, dated tables: the transfer fee around 2022-04-29, the day behind the signal."""
    path = write(tmp_path / f"{CODE}.csv", [flat(10.0)] * 4, days(4, "2022-04-26"))
    (trade,) = outcome(plan(path, by_date({day: f"buy {CODE}"}))).trades
    assert trade.transfer_fee == fee


def test_generic_all_in_when_filled_in_parts_at_rising_prices_then_what_the_cash_no_longer_covers_is_cancelled(tmp_path: Path) -> None:
    rows = [flat(10.0), flat(10.0, 800), flat(12.0, 800), flat(12.0, 800)]
    path = write(tmp_path / "X.csv", rows, days(4))
    market = generic(minimum_commission=50_000)
    config = by_date({"2026-01-05": "buy X"}, sizer="AllInSizer", sized={})
    result = outcome(plan(path, config, market, cash=10_005, rules=ExchangeSettings(participation=0.5)))
    # 1000 are sized at 10.00, 5 are the commission of all; 6,000 are left behind 400 of them, which buy 400 and then 100 at 12.00
    assert [(t.volume, t.price, t.fees) for t in result.trades] == [(400, 10, 5), (400, 12, 0), (100, 12, 0)]
    (order,) = result.orders
    assert (order.end, order.filled) == ("cancelled", 900)
    assert order.end_reason == "cash: what is left of 10005.00 does not cover the rest at 12.00"
    assert result.final_cash == 0


def test_generic_sale_when_it_does_not_bring_its_fees_and_no_cash_covers_them_then_it_is_dropped_and_the_run_goes_on(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "X.csv", [flat(2.0)] * 4, days(4))
    market = generic(minimum_commission=50_000)
    config = by_date({"2026-01-05": "buy X", "2026-01-06": "sell X"}, sized={"volume": 1})
    poor, rich = (outcome(plan(path, config, market, cash=cash)) for cash in (7, 11))
    assert [trade.side for trade in poor.trades] == ["BUY"]
    assert poor.refusals == {"fees": 1}
    assert [(p.code, p.volume) for p in poor.positions] == [("X", 1)]
    assert ([trade.side for trade in rich.trades], rich.final_cash) == (["BUY", "SELL"], 1)
    assert [(p.code, p.volume) for p in outcome(plan(path, config, market, cash=7, finalize=True)).positions] == [("X", 1)]


def test_generic_sale_when_a_buy_of_the_same_moment_takes_the_cash_then_what_its_fees_are_more_is_set_aside_before(tmp_path: Path) -> None:
    for code, price in (("X", 2.0), ("Y", 86.0)):
        write(tmp_path / f"{code}.csv", [flat(price)] * 4, days(4))
    config = by_date({"2026-01-05": "buy X", "2026-01-06": "sell X, buy Y"}, sized={"volume": 1})
    # 93 are left behind the first buy: enough for Y (86 and 5), or for the sale (it may cost 4 at half the price), not for both
    result = outcome(plan(tmp_path, config, generic(minimum_commission=50_000), cash=100))
    assert [(trade.side, trade.code) for trade in result.trades] == [("BUY", "X"), ("SELL", "X")]
    assert (result.final_cash, result.refusals) == (90, {"cash": 1})


def test_generic_sale_when_a_part_would_not_bring_its_fees_then_it_waits_for_more(tmp_path: Path) -> None:
    path = write(tmp_path / "X.csv", [flat(2.0), flat(2.0, 2_000), flat(2.0, 2), flat(2.0, 2_000), flat(2.0)], days(5))
    market = generic(minimum_commission=50_000)
    config = by_date({"2026-01-05": "buy X", "2026-01-06": "sell X"}, sized={"volume": 1_000})
    result = outcome(plan(path, config, market, cash=2_005, rules=ExchangeSettings(participation=0.5)))
    assert [(t.side, t.time[:10], t.volume) for t in result.trades] == [("BUY", "2026-01-07", 1_000), ("SELL", "2026-01-09", 1_000)]


def test_a_position_at_the_end_when_finalized_then_sold_at_the_last_close_and_else_held(tmp_path: Path) -> None:
    path = write(tmp_path / f"{CODE}.csv", [flat(10.0), flat(10.0), (10.0, 10.5, 10.0, 10.4, 1_000_000)], days(3))
    config = by_date({"2026-01-05": f"buy {CODE}"})
    open_ended, closed = outcome(plan(path, config)), outcome(plan(path, config, finalize=True))
    assert [(p.code, p.volume) for p in open_ended.positions] == [(CODE, 1000)]
    assert closed.positions == []
    assert (closed.trades[-1].side, closed.trades[-1].price, closed.trades[-1].reason) == ("SELL", 10.4, "finalize: the bars end")
    assert closed.equity[-1].total_value == closed.final_cash


def test_an_order_open_at_the_end_when_finalized_then_cancelled(tmp_path: Path) -> None:
    path = write(tmp_path / f"{CODE}.csv", [flat(10.0)] * 2, days(2))
    result = outcome(plan(path, by_date({"2026-01-06": f"buy {CODE}"}), finalize=True))
    assert [(order.end, order.filled) for order in result.orders] == [("cancelled", 0)]
    assert result.final_cash == 100_000


def test_a_strategy_that_raises_when_run_then_the_bar_the_code_and_its_own_traceback(tmp_path: Path) -> None:
    path = write(tmp_path / f"{CODE}.csv", [flat(10.0)] * 3, days(3))
    with pytest.raises(
        RunFailed, match=r"at the bar of 2026-01-06 15:00:00 of 000001\.SZ: ByDateStrategy raised ZeroDivisionError"
    ) as caught:
        outcome(plan(path, by_date({"2026-01-06": "raise"})))
    error = caught.value.error
    assert isinstance(error, ZeroDivisionError)
    frames = []
    traceback = error.__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_qualname)
        traceback = traceback.tb_next
    assert frames[-1] == "ByDateStrategy.signals"


def test_a_parameter_out_of_bounds_or_no_cash_when_run_then_refused_before_the_first_bar(tmp_path: Path) -> None:
    path = write(tmp_path / f"{CODE}.csv", [flat(10.0)], days(1))
    with pytest.raises(BadPortfolio, match=r"short_period = 0.*>= 1"):
        run(plan(path, portfolio(params={"short_period": 0})))
    with pytest.raises(BadPortfolio, match="initial_cash is 0"):
        run(plan(path, TREND, cash=0))


# ---- no look-ahead ----


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(20, 110), st.sampled_from(["CN", "GENERIC"]))
def test_bars_when_their_future_is_altered_then_nothing_before_changes(seed: int, cut: int, market: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for number, code in enumerate((CODE, "600000.SH")):
            write(Path(folder) / f"{code}.csv", walk(120, seed + number), days(120))
        kind: Any = {"CN": {}, "GENERIC": {"market": GENERIC}}[market]
        made = plan(
            Path(folder), portfolio(params={"short_period": 2, "long_period": 5}, risks=[("LossLimitRisk", {"loss_limit": 3.0})]), **kind
        )
    last = int(np.unique(made.bars.data[TS])[cut])
    whole = outcome(made)
    assert whole.orders
    for other in (truncated(made.bars, last), shifted(made.bars, last)):
        result = outcome(replace(made, bars=other))
        for field in ("trades", "orders"):
            wanted, got = ([x for x in getattr(r, field) if ms(x.time) <= last] for r in (whole, result))
            if field == "orders":  # how the last ones end is after the cut
                wanted, got = ([(o.time, o.code, o.side, o.limit, o.reason) for o in orders] for orders in (wanted, got))
            assert got == wanted
        until = [row for row in whole.equity if row.date < result.equity[-1].date and ms(f"{row.date}T07:00:00Z") < last]
        assert result.equity[: len(until)] == until
    for trade in whole.trades:
        assert trade.time > trade.order_time


def test_a_strategy_that_knows_the_future_when_checked_then_found_and_an_honest_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / f"{CODE}.csv", walk(120, 3), days(120))
    honest = plan(path, TREND)
    assert all(cut.ok for cut in check(honest))
    assert sum(cut.orders for cut in check(honest)) > 0

    from ginkgo_streams.domain.strategies.trend_follow import TrendFollowStrategy

    class Peeking(TrendFollowStrategy):
        """Looks at the bars that are driven: buys where the next close is higher."""

        component_id = "peeking"

        def signals(self, batch: Any, account: Any, state: dict[str, Any]) -> Any:
            from ginkgo_streams.domain.component import Signal

            known = PEEKED["closes"]
            after = known[known[:, 0] > int(batch.ts[0])]
            if len(after) and after[0, 1] > int(batch.price[0]) and account.volume(CODE) == 0:
                yield Signal(CODE, 1, int(batch.ts[0]), "I know")
            elif account.available(CODE):
                yield Signal(CODE, -1, int(batch.ts[0]), "I know")

    PEEKED: dict[str, Any] = {}
    made = replace(plan(path, portfolio("Peeking")), registry=honest.registry.plus([Peeking]))

    def told(each: Plan) -> Machine:
        PEEKED["closes"] = each.bars.data[[0, 2]].T
        return run(each)

    monkeypatch.setattr("ginkgo_streams.backtest.lookahead.run", told)
    assert not all(cut.ok for cut in check(made))
