"""The package of a new strategy: what `ginkgo components new strategy NAME` writes."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

PROJECT = Template("""\
[build-system]
requires = ["setuptools>=68"]
build-backend = "setuptools.build_meta"

[project]
name = "$project"
version = "0.1.0"
dependencies = ["ginkgo-streams", "msgspec", "numpy"]

# Ginkgo finds the strategy by this entry point: by its name, and by its component_id.
[project.entry-points."ginkgo.components"]
$name = "$module:$name"

[tool.setuptools]
py-modules = ["$module"]
""")

CODE = Template('''\
"""$name: buy at a new high, sell at a new low. Put your own idea in its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
import numpy as np
from ginkgo_streams.domain.account import Account
from ginkgo_streams.domain.batch import Batch
from ginkgo_streams.domain.component import Kind, Signal
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.strategies.interval import IntervalParam


class ${name}Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters: each with its bounds, its default, and its unit in the description."""

    period: Annotated[int, msgspec.Meta(ge=1, le=999, description="closes before the newest that it is compared with")] = 20
    interval: IntervalParam = "tick"


class $name:
    """Buys what is flat when its close is above the `period` closes before, sells what is held when it is below all of them."""

    kind: Kind = "strategy"
    component_id = "$component_id"
    Params = ${name}Params

    def __init__(self, params: ${name}Params) -> None:
        self.period = params.period
        self.interval = params.interval

    def history(self) -> int:
        """The newest close and those before it: there is no signal before a code has so many."""
        return self.period + 1

    def signals(self, batch: Batch, account: Account, state: dict[str, Any]) -> Iterable[Signal]:
        """Called with all watched codes that were updated: arrays have a row for each, and the loop runs over hits only."""
        closes = batch.closes(self.period + 1)
        newest, before = closes[:, -1], closes[:, :-1]
        high, low = newest > before.max(axis=1), newest < before.min(axis=1)
        for i in np.flatnonzero((high | low) & batch.warm(self.period + 1)).tolist():
            code, ts = batch.codes[i], int(batch.ts[i])
            if high[i] and account.volume(code) == 0 and account.pending(code) == 0:
                yield Signal(code, BUY, ts, f"highest of {self.period}")
            elif low[i] and account.volume(code) > 0:
                yield Signal(code, SELL, ts, f"lowest of {self.period}")
''')

TEST = Template('''\
"""$name on bars computed by hand."""

from __future__ import annotations

from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.trial import try_strategy

from $module import $name, ${name}Params

STRATEGY = $name(${name}Params(period=3))


def test_new_high_when_flat_then_buys() -> None:
    # the first three closes fill the window; 10.3 is above 10.0 10.2 10.1, and 10.2 is not above 10.2 10.1 10.3
    signals = try_strategy(STRATEGY, {"000001.SZ": [10.0, 10.2, 10.1, 10.3, 10.2]})
    assert [(number, signal.code, signal.direction) for number, signal in signals] == [(3, "000001.SZ", BUY)]


def test_new_low_when_held_then_sells() -> None:
    signals = try_strategy(STRATEGY, {"000001.SZ": [10.0, 10.2, 10.1, 9.9]}, held={"000001.SZ": 100})
    assert [(number, signal.direction) for number, signal in signals] == [(3, SELL)]


def test_half_filled_window_then_says_nothing() -> None:
    assert try_strategy(STRATEGY, {"000001.SZ": [10.0, 11.0, 12.0]}) == []
''')


class CannotWrite(Exception):
    """A package that is not written; the text says why."""


def new_strategy(name: str, folder: Path | None = None) -> list[Path]:
    """Write the package of a strategy with this class name, into a folder of its own unless one is given. The files, in order.

    Raises CannotWrite for a name that is none, or where one of the files is there already.
    """
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]{1,63}", name):
        raise CannotWrite(f"{name!r} is no name of a strategy: give letters and digits that begin with a capital, such as BreakoutStrategy")
    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    words = {"name": name, "module": module, "project": module.replace("_", "-"), "component_id": f"{module}_uuid"}
    folder = Path(module) if folder is None else folder
    files = {folder / "pyproject.toml": PROJECT, folder / f"{module}.py": CODE, folder / f"test_{module}.py": TEST}
    there = [path for path in files if path.exists()]
    if there:
        raise CannotWrite(f"{there[0]} is there already; give another name, or another --folder")
    folder.mkdir(parents=True, exist_ok=True)
    for path, template in files.items():
        path.write_text(template.substitute(words))
    return list(files)
