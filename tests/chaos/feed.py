"""The seeded market of a run: the product's own simulation and publisher, in a thread, and at rest while the books are audited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from ginkgo_streams.domain.admission import MAX_AHEAD
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.feeds.publisher import Publisher
from ginkgo_streams.feeds.simulation import SimulationSettings, Start, simulate
from ginkgo_streams.feeds.step import Step

STEPS_PER_SECOND = 10.0
STEP_MS = MAX_AHEAD
"""Of the market, in each step: prices further ahead of the ones before are refused as of the future. A trading day takes five minutes, so
that what was bought can be sold in the same run."""

BREAK_S = 1.5
"""At noon and overnight: longer than the second in which the router sends a slot one clock, so that it is there before the prices."""

STOP_S = 60.0
"""How long what was sent may take to be acknowledged."""


class Feed:
    """Publishes the next steps of one series whenever it flows."""

    def __init__(self, bootstrap: str, profile: Profile, prices: dict[str, float], seed: int) -> None:
        options = SimulationSettings(
            initial_prices=prices, seed=seed, ticks_per_second=STEPS_PER_SECOND, event_step_ms=STEP_MS, session_break_s=BREAK_S
        )
        # Not today: no command, dated by the wall, may be of a later day than a price.
        day = profile.next_trading_day(datetime.now(UTC).date().toordinal() + 1)
        self._steps = self._disturbed(simulate(options, Start(day), profile))
        self._bootstrap = bootstrap
        self._late: list[int] = []
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], object] = lambda: None
        self._error: BaseException | None = None

    def flow(self) -> None:
        """Go on."""
        started = threading.Event()

        async def go() -> None:
            loop, stopped = asyncio.get_running_loop(), asyncio.Event()
            self._stop = partial(loop.call_soon_threadsafe, stopped.set)
            publisher = Publisher(self._bootstrap)
            running = asyncio.ensure_future(publisher.run(self._steps))
            started.set()
            await asyncio.wait({running, asyncio.ensure_future(stopped.wait())}, return_when=asyncio.FIRST_COMPLETED)
            await publisher.stop(STOP_S)
            await running

        def run() -> None:
            try:
                asyncio.run(go())
            except BaseException as error:
                self._error = error

        self._thread = threading.Thread(target=run, name="feed", daemon=True)
        self._thread.start()
        started.wait()

    def rest(self) -> None:
        """Stop where it is, all that was published acknowledged. What went wrong meanwhile is raised here."""
        if self._thread is None:
            return
        if self._thread.is_alive():
            self._stop()
        self._thread.join(2 * STOP_S)
        assert not self._thread.is_alive(), "the feed does not stop"
        self._thread = None
        if self._error is not None:
            raise self._error

    def set_back(self, ms: int) -> None:
        """Let the next clock be this much behind the one before it, in event time; the one after it is right again."""
        self._late.append(ms)

    def _disturbed(self, steps: Iterator[Step]) -> Iterator[Step]:
        for step in steps:
            yield step
            while self._late:
                yield Step(step.time_ms - self._late.pop(), (), 0.0)
