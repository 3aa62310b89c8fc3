"""`services.trading.cruds`: access to portfolios."""

from ginkgo.services.trading import cruds

__all__ = ["cruds"]
