"""The database of the settings, ready for portfolios."""

from __future__ import annotations

from ginkgo_streams.config import Settings
from ginkgo_streams.storage.database import connect
from ginkgo_streams.storage.portfolios import PortfolioStore
from ginkgo_streams.storage.schema import ensure


def open_store(settings: Settings) -> PortfolioStore:
    """The store; its schema is made or upgraded where it is not of this version. Raises StorageDown."""
    engine = connect(settings.database_url)
    ensure(engine)
    return PortfolioStore(engine)
