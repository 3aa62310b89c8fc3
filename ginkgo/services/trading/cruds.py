"""`cruds.portfolio()`: create portfolios and look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ginkgo_streams.portfolios.crud import PortfolioCrud


def portfolio() -> PortfolioCrud:
    """Access to portfolios, addresses from environment and files. Raises ConfigErrors, StorageDown."""
    from ginkgo_streams.config import load_settings
    from ginkgo_streams.portfolios.crud import PortfolioCrud

    return PortfolioCrud(load_settings())
