"""Real daily bars of 000001.SZ, where this machine has them: tests of components and indicators read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

PATH = Path(__file__).parents[3].parent / "shared/data/000001.SZ.daily.csv"

needs_bars = pytest.mark.skipif(not PATH.exists(), reason=f"no real bars at {PATH}")


def column(name: str) -> NDArray[np.float64]:
    """A column of Tushare's `daily` (prices in CNY, `vol` in lots of 100), oldest first."""
    return np.asarray(pd.read_csv(PATH)[name].to_numpy(), np.float64)
