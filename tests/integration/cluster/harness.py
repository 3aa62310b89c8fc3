"""A cluster as users start it: a real broker, and livecore and nodes as processes with a home folder each."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.apps.exchange_rules import profile_of
from ginkgo_streams.config import Settings
from ginkgo_streams.config.sources import PLAIN
from ginkgo_streams.local.databases import Redis
from ginkgo_streams.local.kafka import Broker
from ginkgo_streams.local.process import Child, spawn
from ginkgo_streams.placement_key import slot_of
from ginkgo_streams.portfolios.create import NewPortfolio, create_portfolio
from ginkgo_streams.portfolios.store import open_store
from ginkgo_streams.topics import FEEDBACK, SNAPSHOTS, SUBMISSION

from .market import Market
from .topics import Topics

REPO = Path(__file__).resolve().parents[3]
GENEROUS_S = 90.0
"""For what takes a second on an idle machine."""

PRICES = {"000001.SZ": 10.0, "000002.SZ": 20.0, "600000.SH": 12.0}
"""The codes of the test's market, and where they start."""


def until(condition: Callable[[], Any], complaint: Callable[[], str], timeout: float = GENEROUS_S) -> Any:
    """Waits for a condition and returns what it gave; fails with a text of what was seen instead."""
    deadline = time.monotonic() + timeout
    pause = 0.02
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {complaint()}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)
    return found


class Process:
    """livecore or a node, with its log."""

    def __init__(self, name: str, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.{time.monotonic_ns()}.log"
        self.child: Child = spawn(name, ["env", *_unset(environment), *command], self.log, bound=True, env=environment, cwd=REPO)

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def lines(self) -> list[str]:
        return self.text().splitlines()

    def wait_for(self, text: str, count: int = 1, timeout: float = GENEROUS_S) -> None:
        """Until the log holds a text so often; fails at once where the process has ended without it."""

        def there() -> bool:
            alive = self.child.alive
            if self.text().count(text) >= count:
                return True
            assert alive, f"{self.name} ended with {self.child.returncode} and never said {text!r}:\n{self.text()[-6000:]}"
            return False

        until(there, lambda: f"{self.name} says {text!r} x{count}; it said:\n{self.text()[-6000:]}", timeout)

    def wait_end(self, timeout: float = GENEROUS_S) -> int:
        """Its exit status, when it has ended."""
        until(lambda: not self.child.alive, lambda: f"the end of {self.name}; it said:\n{self.text()[-6000:]}", timeout)
        assert self.child.returncode is not None
        return self.child.returncode

    def stop(self, timeout: float = GENEROUS_S) -> int:
        """SIGTERM; its exit status."""
        self.child.send(signal.SIGTERM)
        return self.wait_end(timeout)

    def interrupt(self) -> int:
        """Ctrl+C; its exit status."""
        self.child.send(signal.SIGINT)
        return self.wait_end()

    def kill(self) -> None:
        """kill -9."""
        self.child.kill()


class Cluster:
    """Processes on one broker, and what a user or a test asks of them."""

    def __init__(
        self, broker: Broker, folder: Path, *, database_url: str = "", redis: Redis | None = None, slots: int = 6, markets: int = 2
    ) -> None:
        self.broker, self.folder, self.redis = broker, folder, redis
        folder.mkdir(parents=True, exist_ok=True)
        self.slots, self.markets = slots, markets
        self.database_url = database_url or f"sqlite:///{folder}/ginkgo.db"
        self.processes: list[Process] = []
        self._newest: dict[str, m.Snapshot] = {}
        self._snapshots_read = 0
        self.topics = Topics(broker.bootstrap)
        self.environment = {
            "GINKGO_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "GINKGO_KAFKA__SLOTS": str(slots),
            "GINKGO_KAFKA__MARKET_PARTITIONS": str(markets), "GINKGO_KAFKA__SESSION_TIMEOUT": "6",
            "GINKGO_DATABASE__URL": self.database_url, "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        if redis is not None:
            self.environment |= {"GINKGO_REDIS__HOST": "127.0.0.1", "GINKGO_REDIS__PORT": str(redis.port)}
        kafka = {"bootstrap_servers": [broker.bootstrap], "slots": slots, "market_partitions": markets}
        self.settings = Settings.model_validate({"kafka": kafka, "database": {"url": self.database_url}})
        self.market = Market(self.topics, profile_of(self.settings), markets, PRICES)

    # ---- processes --------------------------------------------------------------------------------------------------

    def start(self, name: str, *command: str, **environment: str) -> Process:
        """A process of ours with a home folder of its own name, so that one that comes back finds its tables."""
        home = self.folder / f"home-{name}"
        home.mkdir(exist_ok=True)
        process = Process(name, list(command), self.folder, {**self.environment, "GINKGO_HOME": str(home), **environment})
        self.processes.append(process)
        return process

    def livecore(self, name: str = "livecore_001", *options: str, source: str = "none", ready: bool = True) -> Process:
        """`ginkgo livecore start`."""
        process = self.start(name, *ginkgo("livecore", "start", "--node-id", name, "--data-source", source, *options))
        if ready:
            process.wait_for("LiveCore ready")
        return process

    def node(self, name: str = "execution_node_001", *options: str, ready: bool = True) -> Process:
        """`ginkgo worker start --type execution_node`."""
        process = self.start(name, *ginkgo("worker", "start", "--type", "execution_node", "--node-id", name, *options))
        if ready:
            process.wait_for("ExecutionNode ready, processing events...")
        return process

    def only(self, *names: str) -> list[Process]:
        """Livecores and nodes of these names run when this returns, and no others: those that are missing are started."""
        for process in self.processes:
            if process.child.alive and process.name not in names:
                process.stop()
        alive = {process.name: process for process in self.processes if process.child.alive}
        make = {name: self.livecore if name.startswith("livecore") else self.node for name in names}
        return [alive.get(name) or make[name](name) for name in names]

    def run(self, *arguments: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """One command of `ginkgo`, to its end."""
        home = self.folder / "home-user"
        home.mkdir(exist_ok=True)
        environment = {**os.environ, **self.environment, "GINKGO_HOME": str(home)}
        command = ["env", *_unset({}), *ginkgo(*arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, cwd=REPO, check=False)

    def audit(self) -> dict[str, Any]:
        """`ginkgo audit --json`: exit status 0 and ok."""
        done = self.run("audit", "--json", "--wait", "60")
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert (done.returncode, report.get("ok")) == (0, True), f"{report}\n{self.logs()}"
        return report

    def logs(self) -> str:
        """The end of every process's log."""
        return "\n".join(f"--- {process.name}\n{process.text()[-3000:]}" for process in self.processes)

    def close(self) -> None:
        """Ends every process that still runs, at once."""
        for process in self.processes:
            process.child.kill()
        self.topics.close()

    # ---- portfolios -------------------------------------------------------------------------------------------------

    def create(self, name: str, codes: list[str], *, busy: int | None = None, cash: int = 1_000_000) -> str:
        """A portfolio by the Python interface, its id. It buys once at the first cross up of a code; busy (a seed): again and again."""
        given = config(codes) if busy is None else busy_config(codes, busy)
        store = open_store(self.settings)
        try:
            return create_portfolio(self.settings, store, NewPortfolio(name, "user_uuid", Decimal(cash), given))
        finally:
            store.engine.dispose()

    def slot(self, portfolio_id: str) -> int:
        return slot_of(portfolio_id, self.slots)

    def snapshot(self, portfolio_id: str) -> m.Snapshot | None:
        """The newest on the topic, by (epoch, seq)."""
        records = self.topics.records(SNAPSHOTS)
        for record in records[self._snapshots_read :]:
            found = m.decode(record.value, m.Snapshot)
            known = self._newest.get(found.portfolio_id)
            if known is None or (found.epoch, found.seq) >= (known.epoch, known.seq):
                self._newest[found.portfolio_id] = found
        self._snapshots_read = len(records)
        return self._newest.get(portfolio_id)

    def wait_snapshot(self, portfolio_id: str, wanted: Callable[[m.Snapshot], bool], what: str) -> m.Snapshot:
        """Until the newest snapshot is as wanted."""

        def there() -> m.Snapshot | None:
            found = self.snapshot(portfolio_id)
            return found if found is not None and wanted(found) else None

        found = until(there, lambda: f"{what}; the newest is {self.snapshot(portfolio_id)}\n{self.logs()}")
        assert isinstance(found, m.Snapshot)
        return found

    def wait_status(self, portfolio_id: str, status: str) -> m.Snapshot:
        """Until the newest snapshot has a status."""
        return self.wait_snapshot(portfolio_id, lambda s: s.status == status, f"status {status}")

    def good(self, topic: str, kind: Any) -> list[Any]:
        """The messages of a topic, without what is none."""
        found = []
        for record in self.topics.records(topic):
            with contextlib.suppress(m.BadMessage):
                found.append(m.decode(record.value, kind))
        return found

    def orders(self, portfolio_id: str) -> dict[str, m.OrderSubmission]:
        """By id, in order of the first submission."""
        found: dict[str, m.OrderSubmission] = {}
        for message in self.good(SUBMISSION, m.OrderMessage):
            if isinstance(message, m.OrderSubmission) and message.portfolio_id == portfolio_id:
                found.setdefault(message.order_id, message)
        return found

    def reports(self, portfolio_id: str) -> list[Any]:
        """The exchange's reports, without claims."""
        found = self.good(FEEDBACK, m.Feedback)
        return [r for r in found if not isinstance(r, m.Claim) and r.portfolio_id == portfolio_id]

    def owner(self, portfolio_id: str) -> str:
        """The node that wrote the newest snapshot."""
        found = self.snapshot(portfolio_id)
        return "" if found is None else found.node_id

    def wait_owned(self, portfolio_ids: Iterable[str], nodes: Collection[str], timeout: float = GENEROUS_S) -> None:
        """Until each portfolio's newest snapshot is of one of these nodes."""
        ids = list(portfolio_ids)
        until(
            lambda: all(self.owner(one) in nodes for one in ids),
            lambda: f"all on {nodes}; they are on {[self.owner(one) for one in ids]}\n{self.logs()}",
            timeout,
        )

    def buy(self, portfolio_id: str, code: str) -> m.OrderSubmission:
        """Let the market cross up, and wait until the order that follows has been acknowledged. Nothing fills."""
        before = set(self.orders(portfolio_id))
        self.market.cross_up(code)

        def new() -> m.OrderSubmission | None:
            return next((order for order_id, order in self.orders(portfolio_id).items() if order_id not in before), None)

        order = until(new, lambda: f"an order of {portfolio_id}\n{self.logs()}")
        assert isinstance(order, m.OrderSubmission)
        until(
            lambda: any(isinstance(r, m.OrderAck) and r.order_id == order.order_id for r in self.reports(portfolio_id)),
            lambda: f"an acknowledgement of {order}; there are {self.reports(portfolio_id)}\n{self.logs()}",
        )
        return order


def config(codes: list[str]) -> dict[str, Any]:
    """A portfolio that buys for 20,000 CNY at a cross of the last price over the mean of two."""
    strategy = {"strategy_id": "trend_follow_strategy_uuid", "params": {"short_period": 1, "long_period": 2}}
    return _config(codes, strategy, 20_000)


def busy_config(codes: list[str], seed: int, probability: float = 0.2) -> dict[str, Any]:
    """A portfolio that buys at every tenth update, and at as many sells what it bought the day before; half the probability each."""
    return _config(codes, {"name": "RandomSignalStrategy", "params": {"seed": seed, "probability": probability}}, 2_500)


def _config(codes: list[str], strategy: dict[str, Any], amount: int) -> dict[str, Any]:
    return {
        "strategy": strategy, "sizer": {"sizer_id": "fixed_amount_sizer_uuid", "params": {"amount": amount}}, "risk_managements": [],
        "selector": {"name": "FixedSelector", "params": {"codes": codes}}, "min_signal_interval": 0, "max_signal_age": 60,
    }  # fmt: skip


def ginkgo(*arguments: str) -> list[str]:
    """The program, as `ginkgo` runs it."""
    return [sys.executable, "-m", "ginkgo_streams.cli.main", *arguments]


def _unset(environment: Mapping[str, str]) -> list[str]:
    """Options of env(1) that take away this machine's own settings, but not those of the test."""
    return [f"--unset={name}" for name in PLAIN if name not in environment]
