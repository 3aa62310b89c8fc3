"""The records that users make and get."""

from ginkgo_streams.portfolios.records import MPortfolio, MPosition

__all__ = ["MPortfolio", "MPosition"]
