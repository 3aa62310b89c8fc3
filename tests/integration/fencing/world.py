"""A cluster of which one process is a suspect: it is stopped, or cut off, while it holds what is not acknowledged."""

from __future__ import annotations

import shutil
import signal
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import psutil

from ginkgo_streams import messages as m
from ginkgo_streams.apps.exchange_rules import profile_of
from ginkgo_streams.engine.internals import LocalCopy
from ginkgo_streams.engine.table import accept
from ginkgo_streams.portfolios.create import NewPortfolio, create_portfolio
from ginkgo_streams.portfolios.store import open_store
from tests.integration.cluster.harness import Cluster, Process, busy_config, ginkgo, until
from tests.integration.cluster.market import Market
from tests.servers.toxiproxy import ProxiedKafka

PRICES = {"000001.SZ": 10.0, "600000.SH": 12.0, "002415.SZ": 9.0, "600036.SH": 11.0}
"""Two codes in each partition of the market, so that every exchange has something to do."""
PORTFOLIOS = 6
CASH = Decimal(100_000_000)


class World:
    """Portfolios that trade at every step of the market, and a suspect behind a proxy."""

    def __init__(self, servers: ProxiedKafka, folder: Path) -> None:
        self.proxy = servers.proxy
        self.folder = folder
        self.cluster = Cluster(servers.broker, folder)
        self.cluster.environment["GINKGO_KAFKA__SESSION_TIMEOUT"] = "3"
        self.cluster.market = Market(self.cluster.topics, profile_of(self.cluster.settings), self.cluster.markets, PRICES)
        self.ids: list[str] = []
        self._armed = folder / "armed"

    def close(self) -> None:
        self.cluster.close()

    def create(self) -> None:
        """The portfolios, which buy or sell at every update of a code; returns when they run."""
        store = open_store(self.cluster.settings)
        for number in range(PORTFOLIOS):
            new = NewPortfolio(f"P{number}", "fencing", CASH, busy_config(list(PRICES), number, probability=1.0))
            self.ids.append(create_portfolio(self.cluster.settings, store, new))
        store.engine.dispose()
        for portfolio_id in self.ids:
            self.cluster.wait_status(portfolio_id, "running")

    def suspect(self, name: str, *command: str, point: str, ready: str) -> Process:
        """A process behind the proxy that stops itself at a point of its commit, when `loses` says so."""
        self._armed.unlink(missing_ok=True)
        process = self.cluster.start(
            name, *ginkgo(*command, "--node-id", name),
            GINKGO_KAFKA__BOOTSTRAP_SERVERS=self.proxy.address, GINKGO_FAULT=f"{point}:1:STOP:{self._armed}",
        )  # fmt: skip
        process.wait_for(ready)
        return process

    def loses(self, suspect: Process, how: str, moved: Callable[[], None], claims: str) -> None:
        """The suspect stops at its point, and sleeps on (how: stop) or goes on at once and sends what it holds into a black hole (hole),
        until its slots have moved. Then what it held comes after all, and it comes back to claim slots anew."""
        self.cluster.audit()  # at rest: the next thing that it does is what the next prices cause
        self._armed.touch()
        self.cluster.market.swing()
        stopped = psutil.Process(suspect.child.pid)
        until(lambda: stopped.status() == psutil.STATUS_STOPPED, lambda: f"{suspect.name} at its point:\n{suspect.text()[-3000:]}")
        if how == "hole":
            self.proxy.black_hole()
            suspect.child.send(signal.SIGCONT)
        with self.cluster.market.trading():
            moved()
            claimed = suspect.text().count(claims)
            if how == "hole":
                self.proxy.heal()
            else:
                suspect.child.send(signal.SIGCONT)
            suspect.wait_for(claims, claimed + 1)

    def fenced(self) -> int:
        """Orders and reports that rightly count for nothing, the books agreeing."""
        return int(self.cluster.audit()["fenced"])

    def refused(self, changelog: str) -> int:
        """Records of a changelog that whoever recovers from an empty disk refuses."""
        by_partition: dict[int, list[Any]] = defaultdict(list)
        for record in self.cluster.topics.records(changelog):
            by_partition[record.partition].append((record.key, record.value))
        return sum(accept(cast(LocalCopy, EmptyDisk()), records)[2] for records in by_partition.values())

    def books(self) -> dict[str, tuple[Any, ...]]:
        """What each portfolio has, by its newest snapshot."""
        found = {portfolio_id: self.cluster.snapshot(portfolio_id) for portfolio_id in self.ids}
        return {portfolio_id: _holdings(snapshot) for portfolio_id, snapshot in found.items() if snapshot is not None}

    def empty_disks(self) -> None:
        """Delete every data folder; no process may run."""
        for home in self.cluster.folder.glob("home-*"):
            shutil.rmtree(home / "data", ignore_errors=True)


class EmptyDisk:
    def get(self, key: bytes) -> None:
        return None


def _holdings(s: m.Snapshot) -> tuple[Any, ...]:
    positions = sorted((p.code, p.direction, p.volume, p.cost_price) for p in s.positions)
    ledger = sorted((line.code, line.bought_volume, line.sold_volume, line.bought_amount, line.sold_amount) for line in s.ledger)
    return s.cash, s.frozen, s.fees, s.orders, s.fills, positions, ledger, sorted(str(order["order_id"]) for order in s.open_orders)
