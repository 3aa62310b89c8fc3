"""`ginkgo backtest`: what a user types and sees, without any server."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ginkgo_streams.config import load_settings
from ginkgo_streams.portfolios.store import open_store
from tests.servers.program import Program
from tests.unit.backtest.samples import flat, portfolio, real_days, walk, write

CODE = "000001.SZ"


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return write(tmp_path / f"{CODE}.csv", walk(150, 3), real_days(150))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return saved(tmp_path, portfolio(params={"short_period": 2, "long_period": 5}))


def saved(folder: Path, content: Any, name: str = "portfolio.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def test_run_when_given_a_config_and_bars_then_figures_json_and_a_report(ginkgo: Program, tmp_path: Path, bars: Path, config: Path) -> None:
    report = tmp_path / "report.html"
    shown = ginkgo("backtest", "run", "--config", str(config), "--bars", str(bars), "--report", str(report))
    assert shown.code == 0, shown.err
    assert "150 bars of 1 codes (CN)" in shown.out
    assert "Sharpe" in shown.out
    assert report.read_text().startswith("<!doctype html>")
    result = ginkgo("backtest", "run", "--config", str(config), "--bars", str(bars), "--json", "--initial-cash", "200000")
    value = json.loads(result.out)
    assert value["initial_cash"] == 200_000
    assert {"code", "side", "volume", "price", "fees", "time", "reason"} <= value["trades"][0].keys()
    assert {order["end"] for order in value["orders"]} <= {"filled", "expired", "rejected", "cancelled", "open"}
    assert len(value["equity"]) == 150
    assert value["statistics"]["trades"] == len(value["trades"])


def test_run_when_generic_with_fees_then_they_are_those_given(ginkgo: Program, tmp_path: Path) -> None:
    bars = write(tmp_path / "X.csv", walk(100, 9), real_days(100))
    config = saved(
        tmp_path, {"initial_cash": 50_000, "config": portfolio(params={"short_period": 2, "long_period": 5}, sizer="AllInSizer", sized={})}
    )
    result = ginkgo("backtest", "run", "--config", str(config), "--bars", str(bars), "--market", "GENERIC", "--commission-rate", "0.001",
                    "--min-commission", "7", "--finalize", "--json")  # fmt: skip
    value = json.loads(result.out)
    assert value["market"] == "GENERIC"
    assert value["positions"] == []
    for trade in value["trades"]:
        assert trade["fees"] == pytest.approx(max(7, round(trade["amount"] * 0.001 + 1e-9, 4)), abs=1e-4)


def test_run_when_short_selling_is_asked_for_then_generic_takes_it_and_cn_says_why_not(ginkgo: Program, tmp_path: Path) -> None:
    bars = write(tmp_path / "X.csv", walk(40, 9), real_days(40))
    config = saved(tmp_path, portfolio("RandomSignalStrategy", {"probability": 1.0}, sized={"volume": 10}))
    given = ("backtest", "run", "--config", str(config), "--bars", str(bars), "--short", "--json")
    taken = json.loads(ginkgo(*given, "--market", "GENERIC").out)
    assert {trade.get("short", False) for trade in taken["trades"]} >= {True}
    refused = ginkgo(*given)
    assert refused.code == 2
    assert "the A-share market (CN) is traded long only" in " ".join(refused.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strategy": {"name": "TrendFollowStrategy", "params": {"short_period": 0}}}, "short_period = 0"),
        ({"strategy": {"name": "Nonsense"}}, "unknown strategy 'Nonsense'"),
        ({"speed": 3}, "unknown key 'speed'"),
    ],
)
def test_run_when_the_portfolio_is_wrong_then_refused_with_what_is_wrong(
    ginkgo: Program, tmp_path: Path, bars: Path, change: dict[str, Any], said: str
) -> None:
    result = ginkgo("backtest", "run", "--config", str(saved(tmp_path, portfolio() | change)), "--bars", str(bars))
    assert result.code == 1
    assert said in result.err
    assert "Traceback" not in result.err


def test_run_when_the_bars_are_wrong_then_file_line_and_column(ginkgo: Program, tmp_path: Path, config: Path) -> None:
    bars = write(tmp_path / f"{CODE}.csv", [(10, 9, 9.5, 9.7, 100)], real_days(1))
    result = ginkgo("backtest", "run", "--config", str(config), "--bars", str(bars), "--json")
    assert result.code == 1
    assert f"[ERROR] {bars}: line 2: column high: '9' is below the low of 9.5" in result.err
    assert json.loads(result.out)["error"] is True


def test_run_when_nothing_or_too_much_is_named_then_wrong_usage(ginkgo: Program, config: Path, bars: Path) -> None:
    assert ginkgo("backtest", "run", "--bars", str(bars)).code == 2
    assert ginkgo("backtest", "run", "--config", str(config), "--portfolio-id", "x", "--bars", str(bars)).code == 2
    assert ginkgo("backtest", "run", "--config", str(config), "--bars", str(bars), "--market", "MARS").code == 2
    fees = ginkgo("backtest", "run", "--config", str(config), "--bars", str(bars), "--commission-rate", "3")
    assert (fees.code, "commission rate '3' is not between 0 and 1" in fees.err) == (1, True)
    none = ginkgo("backtest", "run", "--config", str(config))
    assert (none.code, "there are no bars: name them with --bars" in none.err) == (1, True)


def test_run_when_a_portfolio_of_the_database_is_named_then_it_runs_over_the_range(ginkgo: Program, tmp_path: Path, config: Path) -> None:
    (tmp_path / "bars").mkdir()
    some = real_days(150)
    write(tmp_path / "bars" / f"{CODE}.csv", walk(150, 3), some)
    store = open_store(load_settings())
    portfolio_id = "9f1c1f4e-5a0e-4b7e-8d5c-0a1b2c3d4e01"
    store.insert(portfolio_id, "mine", "u1", Decimal(70_000), json.loads(config.read_text()))
    store.engine.dispose()
    result = ginkgo("backtest", "run", "--portfolio-id", portfolio_id, "--start-date", str(some[10]), "--end-date", str(some[99]), "--json")
    assert result.code == 0, result.err
    value = json.loads(result.out)
    assert (value["portfolio_id"], value["name"], value["initial_cash"]) == (portfolio_id, "mine", 70_000)
    assert (value["start_date"], value["end_date"], len(value["equity"])) == (str(some[10]), str(some[99]), 90)
    unknown = ginkgo("backtest", "run", "--portfolio-id", "nobody")
    assert (unknown.code, "there is no portfolio 'nobody'" in unknown.err) == (1, True)


def test_compare_when_results_differ_then_trades_equity_and_parameters_are_shown(
    ginkgo: Program, tmp_path: Path, bars: Path, config: Path
) -> None:
    slower = saved(tmp_path, portfolio(params={"short_period": 3, "long_period": 9}), "slower.json")
    for name, of in (("a", config), ("b", slower), ("c", config)):
        assert ginkgo("backtest", "run", "--config", str(of), "--bars", str(bars), "--output", str(tmp_path / f"{name}.result")).code == 0
    a, b, c = (str(tmp_path / f"{name}.result") for name in "abc")
    shown = ginkgo("backtest", "compare", a, b).out
    assert "Config strategy.params.long_period: 5 and 9" in shown
    assert "Equity differs on" in shown
    value = json.loads(ginkgo("backtest", "compare", a, b, "--json").out)
    assert value["same"] is False
    assert value["only_first"]
    assert value["only_second"]
    assert "are the same" in ginkgo("backtest", "compare", a, c).out
    bad = ginkgo("backtest", "compare", a, str(bars))
    assert (bad.code, "is no result of `ginkgo backtest run --json`" in bad.err) == (1, True)


def test_sweep_when_two_parameters_then_a_table_a_heat_map_and_refused_sets(
    ginkgo: Program, tmp_path: Path, bars: Path, config: Path
) -> None:
    heat = tmp_path / "heat.html"
    args = ("backtest", "sweep", "--config", str(config), "--bars", str(bars), "--param", "strategy.short_period=2,4", "--param",
            "strategy.long_period=4,9", "--report", str(heat))  # fmt: skip
    shown = ginkgo(*args)
    assert shown.code == 0, shown.err
    assert "strategy.short_period  strategy.long_period  RETURN" in shown.out
    assert "not run: strategy.short_period=4, strategy.long_period=4" in shown.out
    assert "sharpe by strategy.short_period (down) and strategy.long_period (across)" in shown.out
    assert "Sweep: sharpe" in heat.read_text()
    sets = json.loads(ginkgo(*args, "--json", "--jobs", "1").out)["sets"]
    assert [tuple(each["params"].values()) for each in sets] == [(2, 4), (2, 9), (4, 4), (4, 9)]
    alone = json.loads(ginkgo("backtest", "run", "--config", str(config), "--bars", str(bars), "--json").out)  # 2 and 5
    five = json.loads(
        ginkgo("backtest", "sweep", "--config", str(config), "--bars", str(bars), "--param", "strategy.long_period=5", "--json").out
    )
    assert five["sets"][0]["statistics"] == alone["statistics"]
    wrong = ginkgo("backtest", "sweep", "--config", str(config), "--bars", str(bars), "--param", "nothing=1")
    assert (wrong.code, "'nothing' is no parameter" in wrong.err) == (1, True)


def test_check_when_a_strategy_is_honest_then_says_so(ginkgo: Program, bars: Path, config: Path) -> None:
    shown = ginkgo("backtest", "check", "--config", str(config), "--bars", str(bars))
    assert (shown.code, "No look-ahead found" in shown.out) == (0, True)
    assert json.loads(ginkgo("backtest", "check", "--config", str(config), "--bars", str(bars), "--json").out)["ok"] is True


def test_run_when_a_gap_is_in_the_bars_then_warned_of_on_stderr(ginkgo: Program, tmp_path: Path, config: Path) -> None:
    some = real_days(12)
    bars = write(tmp_path / f"{CODE}.csv", [flat(10.0)] * 10, some[:5] + some[7:])
    result = ginkgo("backtest", "run", "--config", str(config), "--bars", str(bars), "--json")
    assert "[WARNING] 000001.SZ: no bar on 2 trading days" in result.err
    assert json.loads(result.out)["warnings"]
