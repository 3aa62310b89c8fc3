"""The heat map of a sweep: one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from ginkgo_streams.backtest.sweep import SetResult


def write_heatmap(path: Path, found: Sequence[SetResult], metric: str) -> None:
    """The metric over the first two parameters (of more, the best over the others; of one, a bar a value). Raises OSError."""
    heatmap(found, metric).write_html(path, include_plotlyjs=True, full_html=True, config={"displaylogo": False})


def heatmap(found: Sequence[SetResult], metric: str) -> go.Figure:
    """The figure."""
    names = list(found[0].params)
    title = metric.replace("_", " ")
    if len(names) == 1:
        figure = go.Figure(go.Bar(x=[str(each.params[names[0]]) for each in found], y=[each.figure(metric) for each in found]))
        figure.update_layout(xaxis_title=names[0], yaxis_title=title, xaxis_type="category")
    else:
        rows, columns, cells = best_cells(found, metric)
        texts = [["" if cell is None else f"{cell:.3g}" for cell in row] for row in cells]
        figure = go.Figure(go.Heatmap(
            z=cells, x=columns, y=rows, text=texts, texttemplate="%{text}", colorscale="RdYlGn", xgap=2, ygap=2, colorbar={"title": title},
        ))  # fmt: skip
        figure.update_layout(xaxis_title=names[1], yaxis_title=names[0], xaxis_type="category", yaxis_type="category")
    figure.update_layout(template="plotly_white", title=f"Sweep: {title}")
    return figure


def best_cells(found: Sequence[SetResult], metric: str) -> tuple[list[str], list[str], list[list[float | None]]]:
    """Values of the first parameter, of the second, and the greatest figure of each pair."""
    first, second = list(found[0].params)[:2]
    rows = list(dict.fromkeys(str(each.params[first]) for each in found))
    columns = list(dict.fromkeys(str(each.params[second]) for each in found))
    cells: list[list[float | None]] = [[None] * len(columns) for _ in rows]
    for each in found:
        value = each.figure(metric)
        row, column = rows.index(str(each.params[first])), columns.index(str(each.params[second]))
        known = cells[row][column]
        if value is not None and (known is None or value > known):
            cells[row][column] = value
    return rows, columns, cells
