"""What the local installation keeps: portfolios in the database, bars in a folder."""

from __future__ import annotations

from pathlib import Path

from ginkgo_streams.backtest.bars import BadBars
from ginkgo_streams.backtest.run import PortfolioSpec
from ginkgo_streams.config import load_settings
from ginkgo_streams.local.home import home
from ginkgo_streams.portfolios.read import portfolio_row
from ginkgo_streams.portfolios.store import open_store


def stored_spec(portfolio_id: str, initial_cash: str | None) -> PortfolioSpec:
    """A portfolio of the database. Raises UnknownPortfolio, StorageDown, ConfigErrors."""
    row = portfolio_row(open_store(load_settings()), portfolio_id)
    return PortfolioSpec(row.uuid, row.name, str(row.initial_cash.normalize()) if initial_cash is None else initial_cash, row.config)


def stored_bars() -> Path:
    """Where bars are when none are named: the file that livecore replays, else the folder bars in the home folder. Raises BadBars."""
    files = load_settings().livecore.file
    if len(files) == 1 and files[0].exists():
        return files[0]
    folder = home() / "bars"
    if not folder.is_dir():
        raise BadBars(f"there are no bars: name them with --bars, or put CSV or Parquet files into {folder}")
    return folder
