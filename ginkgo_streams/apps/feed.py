"""The feed that livecore runs: the one it is configured for, from where the market data topic stands."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Iterator

from ginkgo_streams.apps.unfit import Unfit
from ginkgo_streams.bars.columns import BadBars, Bars
from ginkgo_streams.config import Settings
from ginkgo_streams.domain.market.profile import Profile
from ginkgo_streams.engine.fatal import die
from ginkgo_streams.feeds.position import Position, read_position
from ginkgo_streams.feeds.publisher import Publisher
from ginkgo_streams.feeds.replay import replay, replayable
from ginkgo_streams.feeds.simulation import SimulationSettings, Start, simulate
from ginkgo_streams.feeds.step import Step

log = logging.getLogger("ginkgo.livecore")

DEFAULT_PRICES = {"000001.SZ": 10.0, "000002.SZ": 20.0}
"""What the simulation feeds where data_sources.yml names no prices: the two codes of the quickstart."""


class FeedRunner:
    """Runs at most one feed in this process; started by the owner of market partition 0."""

    def __init__(self, settings: Settings, profile: Profile) -> None:
        """Raises Unfit where there is nothing to replay in the files."""
        self.settings, self.profile = settings, profile
        self._bars = _bars(settings, profile) if settings.livecore.data_source == "replay" else None
        self._publisher: Publisher | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start one, behind one that is still stopping; nothing where one runs."""
        if self._publisher is None and self.settings.livecore.data_source != "none":
            self._publisher = Publisher(self.settings.kafka.bootstrap)
            self._task = asyncio.ensure_future(self._run(self._publisher, self._task))

    def stop_soon(self) -> None:
        """Stop it without waiting: the partition went elsewhere, and its new owner starts one."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            self._stopping = asyncio.ensure_future(publisher.stop())

    async def stop(self) -> None:
        """Stop it; returns when everything published is acknowledged."""
        self.stop_soon()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=15)

    async def _run(self, publisher: Publisher, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        if publisher is not self._publisher:
            return
        try:
            position = await read_position(self.settings.kafka.bootstrap)
            await publisher.run(self._steps(position))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            die(f"the {self.settings.livecore.data_source} feed", error)
        log.info("Feed ended after %d price updates", publisher.ticks)

    def _steps(self, position: Position) -> Iterator[Step]:
        core = self.settings.livecore
        if self._bars is not None:
            return replay(self._bars, speed=core.speed or 0.0, after_ms=position.complete_ms)
        prices = {code: float(price) for code, price in self.settings.sources.simulation.initial_prices.items()}
        if not prices and not core.codes:
            log.info("data_sources.yml names no initial_prices: simulating %s", ", ".join(DEFAULT_PRICES))
            prices = DEFAULT_PRICES
        if core.codes:
            prices = {code: prices.get(code, 10.0) for code in core.codes}
        options = SimulationSettings(initial_prices=prices, seed=core.seed, ticks_per_second=10.0 if core.speed is None else core.speed)
        today = datetime.datetime.now(datetime.UTC).date().toordinal()
        first = today if self.profile.is_trading_day(today) else self.profile.next_trading_day(today)
        return simulate(options, Start(first, position.newest_ms, position.last), self.profile)


def _bars(settings: Settings, profile: Profile) -> Bars:
    """What a replay publishes. Raises Unfit."""
    from ginkgo_streams.bars.load import Source, load_bars  # pandas, which a livecore that replays nothing does without

    files, codes = settings.livecore.file, settings.livecore.codes
    one = len(codes) == len(files) == 1 and files[0].is_file()
    try:
        bars = load_bars(Source(bars=files, code=codes[0] if one else None), profile)
        chosen = replayable(bars, codes)
    except BadBars as error:
        raise Unfit(str(error)) from error
    for warning in bars.warnings:
        log.warning("%s", warning)
    return chosen
