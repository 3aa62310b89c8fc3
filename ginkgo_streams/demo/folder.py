"""The home folder of the demo: a cluster of its own, that neither sees the user's settings nor touches the user's data."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from ginkgo_streams.config.sources import PLAIN, PREFIX
from ginkgo_streams.demo.scenario import MARKET_PARTITIONS, PRICES
from ginkgo_streams.local.errors import AlreadyRunning
from ginkgo_streams.local.home import home
from ginkgo_streams.local.process import wait_for
from ginkgo_streams.local.state import read_state

_DYING_SECONDS = 5.0
"""How long the processes of a demo that was killed may take to follow it."""


@contextmanager
def fresh_home(libs: Path) -> Iterator[Path]:
    """The demo's home folder, emptied first, as GINKGO_HOME of this process and its children, for the length of a `with`.

    libs: Kafka's jars, which are shared with everything else. Raises AlreadyRunning where a demo, or a stack in its folder, runs.
    """
    folder = home().absolute() / "demo"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"a demo runs already in {folder}; end it with Ctrl+C there first") from None
        _require_nothing_running(folder)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        _write_settings(folder)
        before = dict(os.environ)
        _isolate(folder, libs)
        try:
            yield folder
        finally:
            os.environ.clear()
            os.environ.update(before)


def stack_folder(folder: Path) -> Path:
    """Where the stack's data and logs are: as `ginkgo up` has them, so that every command with this GINKGO_HOME finds the demo's."""
    return folder / "local"


def remove(folder: Path) -> None:
    """Takes all of it away."""
    shutil.rmtree(folder, ignore_errors=True)


def _require_nothing_running(folder: Path) -> None:
    state = read_state(stack_folder(folder))
    if state is not None and not wait_for(lambda: not state.survivors(stack_folder(folder)), _DYING_SECONDS):
        names = ", ".join(f"{child.name} (pid {child.pid})" for child in state.survivors(stack_folder(folder)))
        raise AlreadyRunning(f"{folder} is in use by {names}; stop them with: GINKGO_HOME={folder} ginkgo down")


def _write_settings(folder: Path) -> None:
    """In files, not in the environment of the processes: commands that are given this home folder must see the same."""
    prices = {code: float(price) for code, price in PRICES.items()}
    (folder / "config.yaml").write_text(yaml.safe_dump({"kafka": {"market_partitions": MARKET_PARTITIONS}}))
    (folder / "data_sources.yml").write_text(yaml.safe_dump({"sources": {"simulation": {"initial_prices": prices}}}))


def _isolate(folder: Path, libs: Path) -> None:
    """No setting of the user's may lead the demo to another Kafka or database."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX) or name in PLAIN:
            del os.environ[name]
    os.environ["GINKGO_HOME"] = str(folder)
    os.environ["GINKGO_KAFKA_LIBS"] = str(libs)
