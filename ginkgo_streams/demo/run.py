"""The demo from start to end: a stack, portfolios, what is shown of them, and the end in an order that loses nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from rich.console import Console
from rich.live import Live

from ginkgo_streams.audit.report import AuditReport
from ginkgo_streams.audit.run import audit_cluster
from ginkgo_streams.commands import portfolio_command, send_commands_now
from ginkgo_streams.config import Settings, load_settings
from ginkgo_streams.demo import screen
from ginkgo_streams.demo.folder import fresh_home, remove, stack_folder
from ginkgo_streams.demo.memory import Memory
from ginkgo_streams.demo.options import Options
from ginkgo_streams.demo.scenario import PRICES, portfolio
from ginkgo_streams.demo.stopping import StopRequest
from ginkgo_streams.demo.summary import Summary, latency_of
from ginkgo_streams.demo.watch import Watch
from ginkgo_streams.local.jars import kafka_jars
from ginkgo_streams.local.java import find_java
from ginkgo_streams.local.plan import Plan
from ginkgo_streams.local.process import wait_for
from ginkgo_streams.local.stack import Stack
from ginkgo_streams.portfolios.create import create_portfolio
from ginkgo_streams.portfolios.store import open_store

REFRESH_SECONDS = 0.5  # of the table
LINE_SECONDS = 5.0  # between two lines where there is no terminal
TAKEN_SECONDS = 30.0  # for a portfolio to be seen on a node
FINISH_SECONDS = 60.0  # for the portfolios' open orders to be cancelled or filled, a failover at the same moment included
AUDIT_SECONDS = 30.0  # for a broker that has just been started again
POLL_SECONDS = 0.1

log = logging.getLogger("ginkgo.demo")


def run(options: Options, console: Console) -> Summary:
    """Runs it until `options.seconds` are over or a signal comes. Nothing of it runs afterwards, whatever happens.

    Raises Interrupted where the signal came before trading began, and LocalError's kinds, ConfigErrors, and those of
    `create_portfolio` and `audit_cluster`; the data then stay, with the logs.
    """
    stop = StopRequest(lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True))
    with stop.handled():
        with stop.interruptible():
            find_java()
            libs = kafka_jars(console)
        with _logged_to(console), fresh_home(libs) as folder:
            summary = _Demo(options, console, stop, folder).run()
            if summary.ok and not options.keep:
                remove(folder)
    return summary


class _Demo:
    """One run."""

    def __init__(self, options: Options, console: Console, stop: StopRequest, folder: Path) -> None:
        self.options, self.console, self.stop, self.folder = options, console, stop, folder
        self.codes = options.codes or tuple(PRICES)
        self.memory = Memory()
        self.began = time.monotonic()
        self.traded = 0.0
        self.ids: list[str] = []

    def run(self) -> Summary:
        stack = Stack(stack_folder(self.folder), self._plan(), bound=True)
        watch: Watch | None = None
        try:
            with self.stop.interruptible():
                self._start(stack)
                settings = load_settings()
                watch = Watch(settings.kafka.bootstrap)
                watch.start()
                self._create(settings, watch)
            self._show(stack, watch)
            restarts = {member.name: member.restarts for member in stack.members() if member.restarts}
            report = self._end(stack, settings, watch)
        finally:
            self.stop.doing = "databases and broker are stopping"
            if watch is not None:
                watch.stop()
            if stack.members():  # else it never started, and what is recorded in its folder is not its own
                stack.stop()
            left = _end_children()
        return self._summary(watch, report, restarts, left)

    def _plan(self) -> Plan:
        chosen, plan = self.options, Plan()
        feed = ("--data-source", "simulation", "--seed", str(chosen.seed), "--speed", str(chosen.speed), "--codes", ",".join(self.codes))
        load_settings({"livecore": {"codes": list(self.codes)}}, role="livecore")  # a wrong code is said here, not in a log
        return Plan(nodes=chosen.nodes, mariadb=False, livecore_command=(*plan.livecore_command, *feed))

    def _start(self, stack: Stack) -> None:
        self.stop.doing = "what was started is being stopped"
        stack.start()
        self._say(f"Every command sees the demo with GINKGO_HOME={self.folder}")
        stack.wait_ready()

    def _create(self, settings: Settings, watch: Watch) -> None:
        """Creates the portfolios; returns when nodes have them, or after TAKEN_SECONDS, as then the display tells more than an error."""
        store = open_store(settings)
        for number in range(self.options.portfolios):
            new = portfolio(number, self.codes)
            self.ids.append(create_portfolio(settings, store, new))
            self._say(f"Created portfolio {new.name}: {self.ids[-1]}")
        store.engine.dispose()
        wait_for(lambda: all(portfolio_id in watch.newest for portfolio_id in self.ids), TAKEN_SECONDS)

    def _show(self, stack: Stack, watch: Watch) -> None:
        started = time.monotonic()
        if self.console.is_terminal:
            with Live(console=self.console, auto_refresh=False) as live:
                for view in self._views(stack, watch, started, REFRESH_SECONDS):
                    live.update(screen.tables(view), refresh=True)
        else:
            for view in self._views(stack, watch, started, LINE_SECONDS):
                self._say(screen.line(view))
        self.traded = time.monotonic() - started

    def _views(self, stack: Stack, watch: Watch, started: float, pause: float) -> Iterator[screen.View]:
        """A view every `pause` seconds, until the end is asked for or due."""
        while not self._over(started):
            members = stack.members()
            total = self.memory.measure(member.pid for member in members if member.status == "running")
            shown = sorted(watch.newest.values(), key=lambda snapshot: (snapshot.created_at, snapshot.name))
            yield screen.View(
                seconds=time.monotonic() - started, market_time=watch.market_time, ticks_per_second=watch.ticks_per_second(),
                snapshots=shown, latency_ms=dict(watch.latency_ms), last_ms=watch.latencies_ms[-1] if watch.latencies_ms else None,
                members=members, memory_mb=total, by_pid=self.memory.by_pid,
            )  # fmt: skip
            wait = time.monotonic() + pause
            while time.monotonic() < wait and not self._over(started):
                time.sleep(POLL_SECONDS)

    def _over(self, started: float) -> bool:
        due = self.options.seconds
        return self.stop.asked or (due is not None and time.monotonic() - started >= due)

    def _end(self, stack: Stack, settings: Settings, watch: Watch) -> AuditReport:
        """Portfolios first, with the exchange and its prices still there to answer the last orders; the audit last, with the broker."""
        self._doing("the portfolios finish their orders")
        ids = dict.fromkeys([*self.ids, *watch.newest])  # a user may have added some from another shell
        send_commands_now(settings, [portfolio_command("portfolio.stop", portfolio_id) for portfolio_id in ids])
        if not wait_for(lambda: not self._unfinished(watch), FINISH_SECONDS):
            log.warning("Not stopped within %.0f s: %s", FINISH_SECONDS, ", ".join(self._unfinished(watch)))
        self._doing("livecore stops")
        stack.retire("livecore")
        self._doing("the nodes stop")
        stack.retire("node")
        self._doing("the books are audited")
        return asyncio.run(audit_cluster(settings.kafka.bootstrap, AUDIT_SECONDS))

    def _unfinished(self, watch: Watch) -> list[str]:
        """The portfolios that have orders out, or may still send some."""
        found = [portfolio_id for portfolio_id in self.ids if portfolio_id not in watch.newest]
        for s in list(watch.newest.values()):
            going_on = s.status in ("running", "stopping") or (s.status == "created" and s.portfolio_id in self.ids)
            if going_on or (s.open_orders and s.status == "stopped"):
                found.append(s.name)
        return found

    def _summary(self, watch: Watch, report: AuditReport, restarts: dict[str, int], left: list[str]) -> Summary:
        return Summary(
            ok=report.ok and not left, orders=report.orders, fills=report.fills, portfolios=report.portfolios,
            seconds=round(self.traded, 1), first_order_s=round(watch.first_order_at - self.began, 1) if watch.first_order_at else None,
            ticks=watch.ticks, latency=latency_of(watch.latencies_ms), memory_mb=round(self.memory.most_mb), restarts=restarts,
            in_error={s.name: s.error for s in watch.newest.values() if s.status == "error"}, left=left, audit=report,
        )  # fmt: skip

    def _doing(self, what: str) -> None:
        self.stop.doing = what
        self._say(f"Ending: {what}")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _end_children() -> list[str]:
    """Ends what is still there of this process's children, and returns their names: there should be none."""
    left = []
    for child in psutil.Process().children(recursive=True):
        try:
            name = f"{' '.join(child.cmdline())[:100]} (pid {child.pid})"
            child.kill()
            child.wait(10)
            left.append(name)
        except (psutil.NoSuchProcess, psutil.TimeoutExpired) as error:
            log.debug("Child %d: %s", child.pid, error)
    return left


@contextmanager
def _logged_to(console: Console) -> Iterator[None]:
    """What is logged goes through the console, above the table rather than into it, for the length of a `with`."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            console.print(self.format(record), markup=False, highlight=False, soft_wrap=True)

    root, stack = logging.getLogger(), logging.getLogger("ginkgo.stack")
    before, level = root.handlers[:], stack.level
    handler = Handler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    root.handlers[:] = [handler]
    stack.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:] = before
        stack.setLevel(level)
