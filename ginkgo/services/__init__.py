"""`services.trading`: what one can do with portfolios from Python."""

from ginkgo.services import trading

__all__ = ["trading"]
