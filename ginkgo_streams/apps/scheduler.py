"""What users know as the Scheduler: it watches nodes and placement, says what it sees, and raises the alerts. It decides nothing.

Who lives is the consumer group's knowledge, where slots go its leader's decision (`apps/replacing.py`). This runs in the livecore
that owns market partition 0, as the feed does, so there is one at a time; two for a moment say a thing twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ginkgo_streams.apps.alerts import raise_alert
from ginkgo_streams.apps.cluster import Cluster, now
from ginkgo_streams.apps.lookout import Found, Lookout, Seen
from ginkgo_streams.config import Settings
from ginkgo_streams.engine import internals
from ginkgo_streams.engine.fatal import die
from ginkgo_streams.group_members import describe_group
from ginkgo_streams.schedule.members import newest, node_members
from ginkgo_streams.topics import NODE_APP

log = logging.getLogger("ginkgo.livecore")

INTERVAL_S = 1.0
"""Longest pause between two looks. A dead node is seen after the session time-out and three of them."""

SHORTEST_S = 0.2
"""Shortest pause: slots that arrive one after the other are looked at together."""

PATIENCE_S = 10.0
"""How long a look or a publication may take before it is given up and tried again."""


class Scheduler:
    """Runs at most once in this process; started by the owner of market partition 0."""

    def __init__(self, settings: Settings, app: Any, cluster: Cluster) -> None:
        self.settings, self.app, self.cluster = settings, app, cluster
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start looking; nothing where it looks already."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    def stop_soon(self) -> None:
        """Stop without waiting: the partition went elsewhere."""
        internals.cancel_quietly(self._task)
        self._task = None

    async def _run(self) -> None:
        """For ever. A broker that is away is waited for, an unexpected error ends the process."""
        try:
            while True:
                try:
                    await self._watch()
                except (KafkaError, OSError, TimeoutError) as error:
                    log.warning("Scheduler cannot see the nodes, tries again: %s", str(error) or type(error).__name__)
                    await asyncio.sleep(INTERVAL_S)
        except Exception as error:
            die("the scheduler", error)

    async def _watch(self) -> None:
        lookout = Lookout(self.settings.kafka.session_timeout)
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka.bootstrap, request_timeout_ms=int(PATIENCE_S * 1000))
        try:
            async with asyncio.timeout(PATIENCE_S):
                await admin.start()
            while True:
                version = self.cluster.interest_table.version
                async with asyncio.timeout(PATIENCE_S):
                    for found in lookout.look(await self._look(admin)):
                        await self._say(found)
                await asyncio.sleep(SHORTEST_S)
                await self.cluster.interest_table.newer_than(version, INTERVAL_S - SHORTEST_S)
        finally:
            await admin.close()

    async def _look(self, admin: AIOKafkaAdminClient) -> Seen:
        group = await describe_group(admin, NODE_APP)
        members = newest(node_members(group)) if group.settled else None
        disabled = {node_id for node_id, update in self.cluster.decided("disabled").items() if update.active}
        return Seen(time.monotonic(), now(), members, self.cluster.running(), self.cluster.decided("node"), disabled)

    async def _say(self, found: Found) -> None:
        """The line, the alert, then the record: a crash in between says it twice rather than never."""
        log.log(found.level, found.text)
        if found.alert:
            await (await raise_alert(self.app, found.alert, found.severity, found.source, found.text, found.details))
        if found.record is not None:
            await self.cluster.decide(self.app, found.record)
