"""The node's heartbeat in Redis: a view for people. Kafka's group decides who lives; Redis being away changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version

from ginkgo_streams.apps.cluster import now
from ginkgo_streams.apps.load import Trouble
from ginkgo_streams.apps.skew import Skew
from ginkgo_streams.config import Settings
from ginkgo_streams.storage.views import NodeInfo, ViewDown, Views

log = logging.getLogger("ginkgo.node")

INTERVAL_S = 10.0


class Heartbeat:
    """Says every 10 s that the node lives, and what runs on it; and compares the clocks."""

    def __init__(
        self,
        settings: Settings,
        portfolios: Callable[[], Sequence[str]],
        warn: Callable[[Trouble], Awaitable[None]],
        address: Callable[[], str] = lambda: "",
    ) -> None:
        """warn: raises an alert. address: "host:port" of the node's web views, "" where they are off."""
        redis = settings.redis
        self.views = None if redis is None else Views(redis.host, redis.port, db=redis.db, password=redis.password.get_secret_value())
        self.node_id, self.portfolios, self.warn, self.address = settings.node.id, portfolios, warn, address
        self.skew = Skew()
        self.started_at = now()
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Begin."""
        if self.views is not None:
            log.info("Starting heartbeat sender (interval: %ds)", INTERVAL_S)
            self._task = asyncio.ensure_future(self._beat())

    async def stop(self) -> None:
        """End, and take the node out of the view."""
        if self.views is None or self._task is None:
            return
        log.info("Stopping heartbeat sender")
        self._stopping.set()
        await asyncio.wait({self._task})  # not cancelled: a heartbeat on its way in a thread would bring the node back
        try:
            await asyncio.to_thread(self.views.node_left, self.node_id)
        except ViewDown as error:
            log.warning("Redis does not know that %s left: %s", self.node_id, error)

    async def _beat(self) -> None:
        said = False
        while not self._stopping.is_set():
            try:
                await asyncio.to_thread(self._say, self.portfolios())
                if (trouble := await asyncio.to_thread(self._compare)) is not None:
                    await self.warn(trouble)
                (log.debug if said else log.info)("Heartbeat sent to Redis: heartbeat:node:%s", self.node_id)
                said = True
            except ViewDown as error:
                log.warning("No heartbeat in Redis, trading goes on: %s", error)
                said = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), INTERVAL_S)

    def _say(self, portfolios: Sequence[str]) -> None:
        """One heartbeat with the node's plan; nodes that fell silent are taken off the view by those that live."""
        assert self.views is not None
        host, _, port = self.address().rpartition(":")
        info = NodeInfo(
            node_id=self.node_id, host=host or socket.gethostname(), port=int(port or 0), status="running", portfolio_count=len(portfolios),
            last_heartbeat=now(), started_at=self.started_at, version=version("ginkgo-streams"),
        )  # fmt: skip
        self.views.heartbeat(info)
        self.views.put_plan(self.node_id, portfolios)
        self.views.active_nodes()

    def _compare(self) -> Trouble | None:
        """Our clock with that of Redis."""
        assert self.views is not None
        asked = time.time()
        there = self.views.time()
        return self.skew.look(asked, there, time.time())
