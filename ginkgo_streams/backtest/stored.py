"""What the local installation keeps: portfolios in the database, bars in a folder."""

from __future__ import annotations

from pathlib import Path

from ginkgo_streams.backtest.run import PortfolioSpec
from ginkgo_streams.bars.columns import BadBars
from ginkgo_streams.config import load_settings
from ginkgo_streams.local.home import home
from ginkgo_streams.portfolios.read import portfolio_row
from ginkgo_streams.portfolios.store import open_store


def stored_spec(portfolio_id: str, initial_cash: str | None) -> PortfolioSpec:
    """A portfolio of the database. Raises UnknownPortfolio, StorageDown, ConfigErrors."""
    row = portfolio_row(open_store(load_settings()), portfolio_id)
    return PortfolioSpec(row.uuid, row.name, str(row.initial_cash.normalize()) if initial_cash is None else initial_cash, row.config)


def stored_bars() -> list[Path]:
    """Where bars are when none are named: what livecore replays, else the folder bars in the home folder. Raises BadBars."""
    files = load_settings().livecore.file
    if files and all(file.exists() for file in files):
        return files
    folder = home() / "bars"
    if not folder.is_dir():
        raise BadBars(f"there are no bars: name them with --bars, or put CSV or Parquet files into {folder}")
    return [folder]
