"""The charts of a report, as plotly figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ginkgo_streams.backtest.result import Result, refusals_by_reason
from ginkgo_streams.backtest.statistics import drawdowns
from ginkgo_streams.bars.columns import Bars
from ginkgo_streams.domain.events import CLOSE, TS, UNIT

BLUE, RED, GREEN, GREY = "#2f6fb0", "#c0392b", "#2e8b57", "#8a8f98"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CODES = 20
"""Codes with a price chart: those traded most."""
POINTS = 20_000
"""Prices of a chart: of longer series every n-th is drawn."""


def _styled(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        template="plotly_white", height=height, margin={"l": 60, "r": 20, "t": 30, "b": 40}, hovermode="x unified",
        legend={"orientation": "h", "y": 1.08, "x": 0}, font={"family": "system-ui, sans-serif", "size": 13},
    )  # fmt: skip
    return figure


def equity(result: Result) -> go.Figure:
    """Total value, and below it the drawdown."""
    dates = [row.date for row in result.equity]
    values = np.array([row.total_value for row in result.equity], np.float64)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.04)
    figure.add_scatter(x=dates, y=values, name="Total value", line={"color": BLUE, "width": 1.6}, row=1, col=1)
    cash = [row.cash for row in result.equity]
    figure.add_scatter(x=dates, y=cash, name="Cash", line={"color": GREY, "width": 1}, visible="legendonly", row=1, col=1)
    down = drawdowns(float(result.initial_cash), values)
    figure.add_scatter(x=dates, y=down, name="Drawdown", fill="tozeroy", line={"color": RED, "width": 1}, row=2, col=1)
    figure.update_yaxes(title_text="CNY" if result.market == "CN" else "", row=1, col=1)
    figure.update_yaxes(tickformat=".0%", row=2, col=1)
    return _styled(figure, 480)


def monthly(result: Result) -> go.Figure:
    """The return of each month, a row a year."""
    table = monthly_returns(result)
    years = sorted({year for year, _ in table})
    cells = [[table.get((year, month)) for month in range(1, 13)] for year in years]
    texts = [["" if cell is None else f"{cell:+.1%}" for cell in row] for row in cells]
    bound = max((abs(cell) for cell in table.values()), default=0.01) or 0.01
    figure = go.Figure(go.Heatmap(
        z=cells, x=list(MONTHS), y=[str(year) for year in years], text=texts, texttemplate="%{text}", zmin=-bound, zmax=bound, zmid=0,
        colorscale=[[0, RED], [0.5, "#ffffff"], [1, GREEN]], showscale=False, xgap=2, ygap=2,
        hovertemplate="%{y} %{x}: %{text}<extra></extra>",
    ))  # fmt: skip
    figure.update_yaxes(type="category", autorange="reversed")
    _styled(figure, 120 + 28 * len(years))
    figure.update_layout(hovermode="closest")
    return figure


def monthly_returns(result: Result) -> dict[tuple[int, int], float]:
    """(year, month) to the return of the total value in that month, as a fraction."""
    before, found = float(result.initial_cash), {}
    last: dict[tuple[int, int], float] = {}
    for row in result.equity:
        year, month = int(row.date[:4]), int(row.date[5:7])
        last[year, month] = float(row.total_value)
    for key, value in last.items():
        found[key] = value / before - 1
        before = value
    return found


def prices(result: Result, bars: Bars) -> go.Figure | None:
    """Closes of the codes traded most with the fills on them, one code at a time; None where nothing was traded."""
    counts = Counter(trade.code for trade in result.trades)
    codes = [code for code, _ in counts.most_common(CODES)]
    if not codes:
        return None
    figure = go.Figure()
    for number, code in enumerate(codes):
        columns = bars.data[:, bars.code_of == bars.codes.index(code)]
        step = -(-columns.shape[1] // POINTS)
        shown = number == 0
        offset = 8 * 3_600_000 if result.market == "CN" else 0
        times = (columns[TS, ::step] + offset).astype("datetime64[ms]")
        figure.add_scatter(
            x=times, y=columns[CLOSE, ::step] / UNIT, name=code, line={"color": GREY, "width": 1}, visible=shown,
        )  # fmt: skip
        for side, colour, symbol in (("BUY", GREEN, "triangle-up"), ("SELL", RED, "triangle-down")):
            of = [trade for trade in result.trades if trade.code == code and trade.side == side]
            when = [np.datetime64(trade.time.removesuffix("Z")) + np.timedelta64(offset, "ms") for trade in of]
            figure.add_scatter(
                x=when, y=[trade.price for trade in of], name=side, mode="markers", visible=shown,
                marker={"color": colour, "symbol": symbol, "size": 9, "line": {"width": 1, "color": "#ffffff"}},
                text=[f"{side} {trade.volume} @ {trade.price:g}<br>{trade.reason}" for trade in of],
                hovertemplate="%{text}<extra></extra>",
            )  # fmt: skip
    _styled(figure, 420)
    figure.update_layout(hovermode="closest", updatemenus=_menu(codes) if len(codes) > 1 else [])
    return figure


def _menu(codes: Sequence[str]) -> list[dict[str, Any]]:
    buttons = [
        {"label": code, "method": "update", "args": [{"visible": [place // 3 == number for place in range(3 * len(codes))]}]}
        for number, code in enumerate(codes)
    ]
    return [{"buttons": buttons, "x": 1, "xanchor": "right", "y": 1.14, "yanchor": "top"}]


def exposure(result: Result) -> go.Figure:
    """Value of the positions over the total value."""
    figure = go.Figure()
    figure.add_scatter(
        x=[row.date for row in result.equity], y=[row.exposure for row in result.equity], name="Exposure", fill="tozeroy",
        line={"color": BLUE, "width": 1},
    )  # fmt: skip
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return _styled(figure, 240)


def fees(result: Result) -> go.Figure:
    """Fees paid so far, by kind."""
    figure = go.Figure()
    times = [trade.time[:10] for trade in result.trades]
    for name, colour in (("commission", BLUE), ("stamp_duty", RED), ("transfer_fee", GREY)):
        paid = np.cumsum([getattr(trade, name) for trade in result.trades]) if result.trades else np.zeros(0)
        if len(paid) and paid[-1]:
            figure.add_scatter(
                x=times, y=paid, name=name.replace("_", " "), stackgroup="fees", line={"color": colour, "width": 0.5, "shape": "hv"}
            )
    return _styled(figure, 240)


def refusals(result: Result) -> go.Figure | None:
    """What the risk chain did to orders, and signals that led to none, by reason; None where there was nothing."""
    risk = refusals_by_reason(result)
    signals = Counter({f"signal: {reason.replace('_', ' ')}": n for reason, n in result.refusals.items() if not reason.startswith("risk:")})
    both = [*risk.most_common(), *signals.most_common()]
    if not both:
        return None
    names, counts = [name for name, _ in both], [count for _, count in both]
    colours = [RED if name in risk else GREY for name in names]
    figure = go.Figure(go.Bar(x=counts, y=names, orientation="h", marker={"color": colours}, text=counts, textposition="auto"))
    figure.update_yaxes(autorange="reversed", automargin=True)
    _styled(figure, 100 + 26 * len(both))
    figure.update_layout(hovermode="closest")
    return figure
