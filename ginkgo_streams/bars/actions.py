"""Dividends and splits: from a file, or from the adjustment factors beside the bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ginkgo_streams.bars.columns import BadBars
from ginkgo_streams.bars.table import read_table
from ginkgo_streams.domain import events as e
from ginkgo_streams.domain.events import PER, CorporateAction
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.domain.market.sessions import EPOCH_DAY

SAME = 1e-9
"""Relative difference below which two adjustment factors are one."""


def read_actions(path: Path, codes: Sequence[str]) -> list[CorporateAction]:
    """The actions of a file with ex_date, cash (CNY a share, before tax) and split (shares afterwards for one share; 1 for none), and
    a code where the bars are of several. Raises BadBars."""
    table = read_table(path, ("ex_date",), "corporate actions")
    if not {"cash", "split"} & table.names.keys():
        raise BadBars(f"{path}: line 1: missing column cash or split; found {', '.join(map(str, table.frame.columns))}")
    if "code" not in table.names and len(codes) > 1:
        raise BadBars(f"{path}: line 1: missing column code: the bars are of {len(codes)} codes")
    local, _ = table.times("ex_date", "UTC")
    days = local.tz_localize(None).to_numpy("datetime64[D]").astype(np.int64) + EPOCH_DAY
    zeros, ones = np.zeros(len(table)), np.ones(len(table))
    cash = table.numbers("cash") if "cash" in table.names else zeros
    split = table.numbers("split") if "split" in table.names else ones
    if (wrong := np.flatnonzero(cash < 0)).size:
        table.bad(int(wrong[0]), "cash", "is negative")
    if (wrong := np.flatnonzero(split <= 0)).size:
        table.bad(int(wrong[0]), "split", "is not more than 0: 1 is none, 2 makes two shares of one")
    found: dict[tuple[str, int], CorporateAction] = {}
    for i in range(len(table)):
        code = table.text(i, "code") if "code" in table.names else codes[0]
        if (code, int(days[i])) in found:
            table.bad(i, "ex_date", f"is there twice for {code}")
        found[code, int(days[i])] = CorporateAction(
            code=code, day=int(days[i]), cash=round(float(cash[i]) * e.UNIT * PER), split=round(float(split[i]) * PER)
        )
    return list(found.values())


def derived(
    code: str, part: NDArray[np.int64], factors: NDArray[np.float64] | None, profile: Profile
) -> tuple[list[CorporateAction], list[str]]:
    """The actions that follow from a code's adjustment factors, and warnings. part: its bars, oldest first.

    Factors do not say how much of a change was cash and how much shares: all of it is booked as cash, which leaves the value of a
    position right and its number of shares as it was.
    """
    close, prev = part[e.CLOSE], part[e.PREV_CLOSE]
    if factors is None:
        changed = np.flatnonzero((prev[1:] > 0) & (prev[1:] != close[:-1])) + 1
        days = np.array([profile.trading_day(ts) for ts in part[e.TS, changed].tolist()], np.int64)
        if not len(days):
            return [], []
        first = date.fromordinal(int(days[0])).isoformat()
        return [], [
            f"{code}: on {len(days)} days (the first: {first}) the previous close is not the close before: ex-dates, for which no dividend "
            "or split is booked; give the corporate actions, or bars with adj_factor"
        ]
    changed = np.flatnonzero(np.abs(np.diff(factors)) > SAME * factors[:-1]) + 1
    found = []
    for i in changed.tolist():
        reference = int(close[i - 1]) * float(factors[i - 1]) / float(factors[i])
        cash = round((int(close[i - 1]) - reference) * PER)
        if cash > 0:
            found.append(CorporateAction(code=code, day=profile.trading_day(int(part[e.TS, i])), cash=cash, split=PER))
        else:
            split = round(PER * float(factors[i]) / float(factors[i - 1]))
            found.append(CorporateAction(code=code, day=profile.trading_day(int(part[e.TS, i])), cash=0, split=split))
    if not found:
        return [], []
    return found, [
        f"{code}: {len(found)} ex-dates follow from adj_factor, and are booked as cash; give the corporate actions for the shares"
    ]
