"""A run: rounds of disturbances while portfolios trade, each ended by trading seen again and an audit without a difference.

python -m tests.chaos.run --disturbances 1000 --seed 7
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp

from ginkgo_streams.apps.exchange_rules import profile_of
from ginkgo_streams.audit.check import AuditInput, audit
from ginkgo_streams.audit.report import AuditReport
from ginkgo_streams.audit.topics import CannotRead, TopicReader
from ginkgo_streams.demo.scenario import PRICES
from ginkgo_streams.demo.watch import Watch
from ginkgo_streams.local.process import wait_for
from ginkgo_streams.messages import Snapshot, decode
from ginkgo_streams.portfolios.create import NewPortfolio, create_portfolio
from ginkgo_streams.portfolios.store import open_store
from tests.integration.cluster.harness import busy_config

from .feed import Feed
from .operations import Operations, Untrue
from .result import Result, to_json, write_into
from .schedule import OF_OPERATORS, Disturbance, rounds
from .system import Defect, System

REPO = Path(__file__).resolve().parents[2]
PORTFOLIOS = 30
CODES_EACH = 3
PROBABILITY = 0.01
"""Of a signal at an update: some orders a second over all portfolios."""
SIZER = {"sizer_id": "fixed_amount_sizer_uuid", "params": {"amount": 30_000}}
CASH = Decimal(20_000_000)
READY_S = 240.0
TRADING_S = 240.0
AUDIT_S = 120.0
"""Each far beyond what a busy machine takes: to wait longer would change nothing."""
BACK_MS = 7_200_000
"""Furthest that a clock is set back, in event time."""


class Failed(Exception):
    """A run that found something. The text has the seed that gives it again, and what was disturbed in the round."""


class Run:
    """One run, from an empty folder."""

    def __init__(self, folder: Path, seed: int, disturbances: int, say: Callable[[str], None] = lambda text: None) -> None:
        self.folder, self.seed, self.disturbances, self.say = folder, seed, disturbances, say
        self.kinds: Counter[str] = Counter()
        self.recoveries: list[float] = []
        self.ids: list[str] = []
        self.report: AuditReport | None = None

    def go(self) -> Result:
        """All rounds. Raises Failed."""
        began = time.monotonic()
        self.system = System(self.folder, self.say)
        self.watch = Watch(self.system.broker.bootstrap)
        self.reader = TopicReader(self.system.broker.bootstrap)
        self.operations = Operations(self.system.cluster, self._say)
        profile = profile_of(self.system.cluster.settings)
        self.feed = Feed(self.system.broker.bootstrap, profile, {code: float(price) for code, price in PRICES.items()}, self.seed)
        number, disturbing = 0, list[Disturbance]()
        try:
            self._begin()
            for number, disturbing in enumerate(rounds(self.seed, self.disturbances), 1):
                self._round(number, disturbing)
        except (Defect, Untrue, CannotRead) as error:
            done = sum(self.kinds.values())
            did = "\n  ".join(map(str, disturbing))
            raise Failed(
                f"round {number}: {error}\nThe round did\n  {did}\nAgain: SEED={self.seed} make chaos KILLS={done}\nLogs: {self.folder}"
            ) from error
        finally:
            self.watch.stop()
            self.system.close()
        assert self.report is not None
        return Result(
            seed=self.seed, disturbances=sum(self.kinds.values()), kinds=dict(self.kinds), rounds=number,
            seconds=round(time.monotonic() - began, 1), portfolios=len(self.ids), orders=self.report.orders, fills=self.report.fills,
            fenced=self.report.fenced, duplicates=self.report.duplicates, differences=len(self.report.differences),
            ends=dict(self.system.ends), recoveries_s=[round(each, 1) for each in self.recoveries], disk=self.system.disk.kind,
            cores=len(os.sched_getaffinity(0)), date=datetime.now(UTC).date().isoformat(),
        )  # fmt: skip

    def _say(self, text: str) -> None:
        self.say(text)
        self.system.timeline.say(text.strip())

    def _begin(self) -> None:
        self.system.wait_ready(READY_S)
        self.watch.start()
        settings = self.system.cluster.settings
        store = open_store(settings)
        rng = random.Random(self.seed)
        for number in range(PORTFOLIOS):
            codes = rng.sample(sorted(PRICES), CODES_EACH)
            config = {**busy_config(codes, number, PROBABILITY), "sizer": SIZER, "max_signal_age": 3_600}
            self.ids.append(create_portfolio(settings, store, NewPortfolio(f"Chaos {number}", "chaos", CASH, config)))
        store.engine.dispose()
        self.feed.flow()
        self._see_trading()
        self.say(f"{PORTFOLIOS} portfolios trade, logs are in {self.folder}")

    def _round(self, number: int, disturbing: list[Disturbance]) -> None:
        """Disturb, and see that all is well afterwards."""
        if number > 1:
            self.feed.flow()
        self._disturb(disturbing)
        self.system.wait_answers()
        if any(what.kind == "halt" for what in disturbing):
            self.operations.settle(self.system.tend)  # until then nothing may trade
        healed = time.monotonic()
        self.system.timeline.say(f"round {number} healed")
        self.recoveries.append(self._see_trading() - healed)
        self.system.timeline.say(f"round {number} trades again")
        self.operations.settle(self.system.tend)
        self.system.wait_ready(READY_S)
        self.feed.rest()
        self.report = self._audit()
        self.operations.check(_newest(self._read()))
        self.kinds.update(what.kind for what in disturbing)
        self.say(
            f"round {number}: {sum(self.kinds.values())} disturbances ({', '.join(f'{d.kind} {d.target}' for d in disturbing)}), recovered "
            f"in {self.recoveries[-1]:.1f} s, {self.report.orders} orders, {self.report.fills} fills, {self.report.fenced} fenced"
        )

    def _disturb(self, disturbing: list[Disturbance]) -> None:
        """Each at its time; meanwhile what has ended is started again."""
        steps: list[tuple[float, Callable[[], None]]] = []
        for what in disturbing:
            if what.kind == "clock":
                steps.append((what.at_s, lambda what=what: self.feed.set_back(round(what.strength * BACK_MS))))  # type: ignore[misc]
            elif what.kind in OF_OPERATORS:
                steps.append((what.at_s, lambda what=what: self.operations.begin(what, self.ids)))  # type: ignore[misc]
            else:
                steps.append((what.at_s, lambda what=what: self.system.begin(what)))  # type: ignore[misc]
                steps.append((what.ends_s, lambda what=what: self.system.end(what)))  # type: ignore[misc]
        began = time.monotonic()
        for due, step in sorted(steps, key=lambda each: each[0]):
            while time.monotonic() < began + due:
                self.system.tend()
                time.sleep(0.05)
            step()

    def _see_trading(self) -> float:
        """Until every portfolio has sent a snapshot and some an order, behind what is on the topics now. When (time.monotonic()) all had
        sent theirs. Raises Defect."""
        known = self._read()
        before = {pid: (each.epoch, each.seq) for pid, each in _newest(known).items()}
        orders = audit(known).orders
        all_seen = 0.0

        def trading() -> bool:
            nonlocal all_seen
            self.system.tend()
            newest = self.watch.newest
            seen = all(pid in newest and (newest[pid].epoch, newest[pid].seq) > before.get(pid, (-1, -1)) for pid in self.ids)
            all_seen = all_seen or (time.monotonic() if seen else 0.0)
            return seen and self.watch.orders > orders

        if not wait_for(trading, TRADING_S):
            newest = self.watch.newest
            still = [pid for pid in self.ids if pid not in newest or (newest[pid].epoch, newest[pid].seq) <= before.get(pid, (-1, -1))]
            at = {newest[pid].node_id for pid in still if pid in newest}
            raise Defect(
                f"not trading within {TRADING_S:.0f} s: {len(still)} portfolios stand still {still[:5]}, last seen on {sorted(at)}"
            )
        return all_seen

    def _read(self) -> AuditInput:
        """The topics up to their ends. A broker that has come back this moment may not give them at once."""
        end = time.monotonic() + AUDIT_S
        while True:
            try:
                return asyncio.run(self.reader.read())
            except CannotRead:
                if time.monotonic() > end:
                    raise
            self.system.tend()
            time.sleep(0.2)

    def _audit(self) -> AuditReport:
        """The books at rest. Raises Defect with the differences."""
        end = time.monotonic() + AUDIT_S
        while True:
            report = audit(self._read())
            if report.ok and not report.pending:
                return report
            if time.monotonic() > end:
                found = "\n".join(each.text for each in report.differences[:20])
                raise Defect(f"{len(report.differences)} differences, {report.pending} orders without an answer:\n{found}")
            self.system.tend()
            time.sleep(0.2)


def _newest(known: AuditInput) -> dict[str, Snapshot]:
    """The newest snapshot of each portfolio; the reader keeps no others."""
    found = [decode(value, Snapshot) for value in known.snapshots if value is not None]
    return {each.portfolio_id: each for each in found}


def main() -> int:
    """The command. Exit status 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--disturbances", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000)))
    parser.add_argument("--json", type=Path, help="where to write the result")
    parser.add_argument("--document", type=Path, help="a document with the marks of the table")
    parser.add_argument("--folder", type=Path, help="an empty folder for data and logs")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # of a broker that is away there is no news
    print(f"SEED={given.seed}, {given.disturbances} disturbances", flush=True)
    folder = given.folder or Path(mkdtemp(prefix="ginkgo-chaos-"))
    try:
        result = Run(folder, given.seed, given.disturbances, lambda text: print(text, flush=True)).go()
    except Failed as error:
        print(f"FAILED {error}", file=sys.stderr)
        return 1
    print(to_json(result).decode())
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_bytes(to_json(result))
    if given.document:
        write_into(given.document, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
