"""What operators do meanwhile: commands of `ginkgo`, which may fail while everything is disturbed, but not say what is not so."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from ginkgo_streams.audit.check import audit
from ginkgo_streams.audit.topics import CannotRead, TopicReader
from ginkgo_streams.local.process import wait_for
from ginkgo_streams.messages import Snapshot
from tests.integration.cluster.harness import Cluster

from .schedule import Disturbance

EFFECT_S = "60"
"""How long a command waits for its effect."""

COMMAND_S = 240.0
"""How long a command may take, the time in which it looks for a broker included."""

UNDO_S = 600.0
"""How long it is tried to take back what was done. All are up again by then, so it has to succeed."""

AMOUNT = 10_000
"""CNY that one buy may cost at least."""


class Untrue(AssertionError):
    """A command said what is not so, or ended as none should."""


class Operations:
    """Gives the commands of a round, each with its undoing in a thread of its own."""

    def __init__(self, cluster: Cluster, say: Callable[[str], None]) -> None:
        self._cluster, self._say = cluster, say
        self._reader = TopicReader(cluster.broker.bootstrap)
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self._promised: dict[str, tuple[int, int]] = {}
        """Version that an update said runs, and its amount, by portfolio."""

    def begin(self, what: Disturbance, portfolios: Sequence[str]) -> None:
        """Give the command of an operation, take it back when its time is over.

        what.strength chooses the portfolio, and what it is changed to."""
        portfolio = portfolios[round(what.strength * (len(portfolios) - 1))]
        steps = {
            "migrate": lambda: self._migrate(portfolio, what),
            "disable": lambda: self._disable(what),
            "halt": lambda: self._halt(what),
            "reload": lambda: self._reload(portfolio, what),
        }

        def run() -> None:
            try:
                steps[what.kind]()
            except BaseException as error:
                self._errors.append(error)

        thread = threading.Thread(target=run, name=what.kind, daemon=True)
        self._threads.append(thread)
        thread.start()

    def settle(self, tend: Callable[[], None]) -> None:
        """Until all commands have ended and what they did is taken back. Raises Untrue."""

        def ended() -> bool:
            tend()
            return not any(thread.is_alive() for thread in self._threads)

        if not wait_for(ended, 2 * COMMAND_S + UNDO_S):
            raise Untrue(f"commands have not ended: {[thread.name for thread in self._threads if thread.is_alive()]}")
        self._threads = []
        if self._errors:
            raise self._errors[0]

    def check(self, newest: Mapping[str, Snapshot]) -> None:
        """Portfolios run what the updates said they run, or something newer. Raises Untrue."""
        for portfolio_id, (version, amount) in self._promised.items():
            found = newest[portfolio_id]
            runs = found.config["sizer"]["params"]["amount"]
            if found.version < version or (found.version == version and runs != amount):
                raise Untrue(f"portfolio {portfolio_id}: version {version} with {amount} was said to run; {found.version} with {runs} does")

    def _migrate(self, portfolio: str, what: Disturbance) -> None:
        self._tell("schedule", "migrate", portfolio, "--to", what.target, "--timeout", EFFECT_S, "--json")
        time.sleep(what.lasts_s)
        self._insist("schedule", "unpin", portfolio, "--json")

    def _disable(self, what: Disturbance) -> None:
        self._tell("node", "disable", what.target, "--reason", "chaos", "--timeout", EFFECT_S, "--json")
        time.sleep(what.lasts_s)
        self._insist("node", "enable", what.target, "--timeout", EFFECT_S, "--json")

    def _halt(self, what: Disturbance) -> None:
        """When a stop is confirmed nothing trades until the start."""
        halted = self._tell("engine", "stop", "--reason", "chaos", "--timeout", EFFECT_S, "--json")
        fills = self._fills() if halted else None
        time.sleep(what.lasts_s)
        later = self._fills() if halted else None
        if fills is not None and later is not None and later != fills:
            raise Untrue(f"{later - fills} fills behind a confirmed stop")
        self._insist("engine", "start", "--timeout", EFFECT_S, "--json")

    def _reload(self, portfolio: str, what: Disturbance) -> None:
        amount = AMOUNT + round(what.strength * 997) * 50
        said = self._tell("portfolio", "update", portfolio, "--set", f"sizer.params.amount={amount}", "--timeout", EFFECT_S, "--json")
        if said:
            version = msgspec.json.decode(said)["version"]
            assert isinstance(version, int)
            self._promised[portfolio] = (version, amount)

    def _fills(self) -> int | None:
        """Fills that count so far; None where the broker is away."""
        try:
            return audit(asyncio.run(self._reader.read())).fills
        except CannotRead:
            return None

    def _tell(self, *command: str) -> str:
        """What a command answers, "" where it failed."""
        done = self._cluster.run(*command, timeout=COMMAND_S)
        words = " ".join(command[:3])
        self._say(f"    {words}: exit status {done.returncode}{'' if not done.returncode else ' ' + done.stderr.strip()[-200:]}")
        if done.returncode not in (0, 1) or "Traceback" in done.stderr:
            raise Untrue(f"`{' '.join(command)}` ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-2_000:]}")
        return "" if done.returncode else done.stdout

    def _insist(self, *command: str) -> None:
        end = time.monotonic() + UNDO_S
        while not self._tell(*command):
            if time.monotonic() > end:
                raise Untrue(f"`{' '.join(command)}` does not succeed within {UNDO_S:.0f} s")
            time.sleep(1)
