"""The report of a backtest: one HTML file with everything in it, that needs no network."""

from ginkgo_streams.backtest.report.page import write_report

__all__ = ["write_report"]
