"""The report: everything in one file, and, where a browser is there, drawn by it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from ginkgo_streams.backtest.report import write_report
from ginkgo_streams.backtest.report.charts import monthly_returns
from ginkgo_streams.backtest.result import Result, refusals_by_reason, results
from ginkgo_streams.backtest.run import Plan, run
from tests.unit.backtest.samples import days, plan, portfolio, walk, write


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, Plan]:
    folder = tmp_path_factory.mktemp("report")
    for number, code in enumerate(("000001.SZ", "600000.SH")):
        write(folder / f"{code}.csv", walk(200, 3 + number), days(200))
    risks: Any = [("PositionRatioRisk", {"max_position_ratio": 0.05}), ("LossLimitRisk", {"loss_limit": 2.0})]
    config = portfolio(params={"short_period": 2, "long_period": 5}, risks=risks)
    this = plan(folder, config)
    result = results(this, run(this))[0]
    path = folder / "report.html"
    write_report(path, result, this.bars)
    return path, result, this


def test_the_report_when_written_then_it_has_its_parts_and_loads_nothing(made: tuple[Path, Result, Plan]) -> None:
    path, result, _ = made
    text = path.read_text()
    for part in ("equity", "monthly", "prices", "exposure", "fees", "refusals"):
        assert f'id="{part}"' in text
    page = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert not re.search(r"(src|href)=", page)
    for trade in result.trades[:5]:
        assert trade.reason in page
    assert page.count("<tr>") >= len(result.trades)


def test_refusals_when_counted_then_by_risk_manager_and_what_it_did(made: tuple[Path, Result, Plan]) -> None:
    _, result, _ = made
    counts = refusals_by_reason(result)
    assert {name.split(": ")[0] for name in counts} == {"PositionRatioRisk", "LossLimitRisk"}
    assert {name.split(": ")[1] for name in counts} == {"cut", "sold"}


def test_monthly_returns_when_multiplied_then_the_total(made: tuple[Path, Result, Plan]) -> None:
    _, result, _ = made
    product = 1.0
    for value in monthly_returns(result).values():
        product *= 1 + value
    assert product == pytest.approx(float(result.final_value) / float(result.initial_cash))


def test_text_of_a_users_when_it_is_markup_then_it_stays_text(made: tuple[Path, Result, Plan], tmp_path: Path) -> None:
    import msgspec

    _, result, this = made
    evil = "</script><script>document.title='owned'</script>"
    trades = [msgspec.structs.replace(trade, reason=evil) for trade in result.trades]
    write_report(tmp_path / "r.html", msgspec.structs.replace(result, name=evil, trades=trades), this.bars)
    assert evil not in (tmp_path / "r.html").read_text()


@pytest.fixture
def page(made: tuple[Path, Result, Plan]) -> Iterator[tuple[Any, list[str]]]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))  # None: the one that playwright installed
        context = browser.new_context(offline=True)
        opened = context.new_page()
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        opened.goto(made[0].as_uri())
        yield opened, errors
        browser.close()


def test_the_report_when_opened_offline_then_every_chart_is_drawn(page: tuple[Any, list[str]]) -> None:
    opened, errors = page
    opened.wait_for_function("document.querySelectorAll('.main-svg').length >= 6")
    drawn = opened.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].map(d => [d.id, d.querySelectorAll('.trace, .heatmaplayer image').length])"
    )
    assert {name for name, _ in drawn} == {"equity", "monthly", "prices", "exposure", "fees", "refusals"}
    assert all(count > 0 for _, count in drawn), drawn
    assert errors == []
