"""The page of a report: charts and tables in one HTML file with plotly's script in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ginkgo_streams.backtest.report import charts
from ginkgo_streams.backtest.result import Result
from ginkgo_streams.backtest.words import statistics_rows
from ginkgo_streams.bars.columns import Bars

ROWS = 2_000
"""Trades that the page lists; the JSON has all of them."""


def write_report(path: Path, result: Result, bars: Bars) -> None:
    """Write the report. Raises OSError."""
    path.write_text(page(result, bars), encoding="utf-8")


def page(result: Result, bars: Bars) -> str:
    """The HTML."""
    environment = Environment(loader=PackageLoader("ginkgo_streams.backtest.report", "."), autoescape=select_autoescape(default=True))
    ends: dict[str, int] = {}
    for order in result.orders:
        ends[order.end] = ends.get(order.end, 0) + 1
    return environment.get_template("page.html.j2").render(
        result=result, statistics=statistics_rows(result), script=Markup(get_plotlyjs()), rows=ROWS, ends=sorted(ends.items()),
        components=_components(result.config),
        equity=_div(charts.equity(result), "equity"), monthly=_div(charts.monthly(result), "monthly"),
        prices=_div(charts.prices(result, bars), "prices"), exposure=_div(charts.exposure(result), "exposure"),
        fees=_div(charts.fees(result), "fees"), refusals=_div(charts.refusals(result), "refusals"),
    )  # fmt: skip


def _div(figure: go.Figure | None, name: str) -> Markup | None:
    if figure is None:
        return None
    # plotly escapes "</" and "<!--" in what it writes into the script, so that no text of a user's can end it
    return Markup(figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config={"displaylogo": False, "responsive": True}))


def _components(config: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(kind, name, parameters) of the portfolio's components."""
    given = [("strategy", config.get("strategy")), *(("risk", risk) for risk in config.get("risk_managements") or []),
             ("sizer", config.get("sizer")), ("selector", config.get("selector"))]  # fmt: skip
    found = []
    for kind, component in given:
        if component:
            params = ", ".join(f"{name} = {value}" for name, value in (component.get("params") or {}).items())
            found.append((kind, str(component.get("name") or component.get(f"{kind}_id")), params))
    return found
