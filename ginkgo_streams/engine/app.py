"""A Faust app set up for this engine, and the way its agents hand events to a runner."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
import uvloop

from ginkgo_streams.engine import internals
from ginkgo_streams.engine.arrival import Arrival
from ginkgo_streams.engine.assignor import NodeAssignor
from ginkgo_streams.engine.consumer import TOGETHER
from ginkgo_streams.engine.fatal import cannot_start, die, stop_within
from ginkgo_streams.engine.garbage import collect_garbage
from ginkgo_streams.engine.members import Member, member_url, members
from ginkgo_streams.engine.provision import NoBrokers, TopicMismatch
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.engine.table import SMALL_ROCKSDB, FencedTable
from ginkgo_streams.engine.watchdog import Pulse, watch

log = logging.getLogger("ginkgo.engine")

STOP_S = 50.0
"""Longest stop. Without a broker Faust flushes its producer and leaves its group for ever; what counts was made durable before that, or is
the next owner's to do again."""

SWITCH_S = 0.0005
"""How long the loop keeps the interpreter when the consumer's thread wants it. Python's 5 ms are as long as many of our messages take
from end to end, and a fetch needs the interpreter several times."""


@dataclass(frozen=True, slots=True)
class AppSettings:
    """What an app of the engine needs to know."""

    app_id: str
    node_id: str
    bootstrap: str
    datadir: Path
    capacity: int = 0
    session_timeout_s: float = 3.0
    heartbeat_s: float = 0.1
    standbys: int = 1
    web_enabled: bool = False
    web_host: str = "127.0.0.1"
    web_port: int = 6066


class EngineApp(faust.App):  # type: ignore[misc]
    """Faust with the engine's transport, assignor and tables; slots are given back before the group is left."""

    def __init__(self, settings: AppSettings, **kwargs: Any) -> None:
        self.engine = settings
        self.runners: list[Runner] = []
        self.before_start: list[Callable[[], Awaitable[None]]] = []
        self.when_ready: list[Callable[[], Awaitable[None]]] = []
        self.before_stop: list[Callable[[], Awaitable[None]]] = []
        self.after_release: list[Callable[[], Awaitable[None]]] = []
        self.after_stop: list[Callable[[], Awaitable[None]]] = []
        self.web_socket: socket.socket | None = None
        self.web_address = ""
        self._watchdog: asyncio.Task[None] | None = None
        self._pulse: Pulse | None = None
        self._collector: asyncio.Task[None] | None = None
        self._is_whole = False
        super().__init__(
            settings.app_id,
            broker=[f"kafka://{address.strip()}" for address in settings.bootstrap.split(",")],
            datadir=str(settings.datadir),
            store="rocksdb://",
            PartitionAssignor=NodeAssignor,
            processing_guarantee="at_least_once",
            topic_allow_declare=False,
            topic_disable_leader=True,
            table_standby_replicas=settings.standbys,
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=settings.session_timeout_s,
            broker_heartbeat_interval=settings.heartbeat_s,
            broker_rebalance_timeout=15.0,
            broker_request_timeout=20.0,  # longer than a rebalance; an answer that is lost costs half of the watchdog's patience
            broker_max_poll_interval=60.0,
            broker_commit_interval=0.5,
            broker_commit_every=1_000_000,
            producer_request_timeout=40.0,
            producer_linger_ms=0,
            stream_wait_empty=False,
            stream_buffer_maxsize=4096 // TOGETHER,
            web_enabled=settings.web_enabled,
            web_port=settings.web_port,
            web_bind=settings.web_host,
            canonical_url=member_url(settings.node_id),
            autodiscover=False,
            Table=FencedTable,
            Worker=internals.Worker,
            **kwargs,
        )
        self.transport = internals.Transport([*self.conf.broker], self)
        self.on_partitions_revoked.connect(self._revoked)
        self.on_rebalance_complete.connect(self._recovered)

    # ---- building -----------------------------------------------------------------------------------------------

    def fenced_table(self, name: str, partitions: int) -> FencedTable:
        """Declare a table of raw keys and values."""
        table = self.Table(name, partitions=partitions, key_type=bytes, value_type=bytes, options=dict(SMALL_ROCKSDB))
        assert isinstance(table, FencedTable)
        return table

    def raw_topic(self, name: str) -> Any:
        """Declare a topic of raw keys and values."""
        return self.topic(name, key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")

    def serve(self, sock: socket.socket, address: str) -> None:
        """Serve the web views on a listening socket, before the group is joined. address: "host:port" for the other members."""
        self.web_socket, self.web_address = sock, address
        self.conf.canonical_url = member_url(self.engine.node_id, address)

    def members(self) -> list[Member]:
        """The group as the last assignment had it; empty before the first."""
        return members(self.assignor.changelog_distribution, self.runners[0].tables[0].changelog_topic_name)

    def FlowControlQueue(self, maxsize: int | None = None, *, clear_on_resume: bool = False) -> Any:
        """A stream's buffer, which keeps what it holds when the flow resumes.

        Faust empties it then, a moment after it has sought the inputs: what had already arrived from there would be lost without a
        word, and its partition stand still. What is older than the assignment is known by its generation and its offset.
        """
        return super().FlowControlQueue(maxsize, clear_on_resume=False)

    def _new_web(self) -> internals.WebServer:
        return internals.WebServer(self)

    # ---- life ---------------------------------------------------------------------------------------------------

    async def on_first_start(self) -> None:
        """Before anything connects: topics, broadcast tables."""
        self._collector = asyncio.ensure_future(collect_garbage())  # in front of the consumer's thread
        self.engine.datadir.mkdir(parents=True, exist_ok=True)
        try:
            for step in self.before_start:
                await step()
            internals.open_ahead([table for runner in self.runners for table in runner.tables])
        except (NoBrokers, TopicMismatch) as error:
            cannot_start(error)
        await super().on_first_start()

    async def on_started(self) -> None:
        """All is running."""
        gc.collect()
        gc.freeze()  # what lives from the start on need not be looked at by every collection
        self._watchdog = asyncio.ensure_future(watch(self, self.runners))
        self._pulse = Pulse()
        self._is_whole = True
        await super().on_started()
        for step in self.when_ready:
            await step()

    async def on_stop(self) -> None:
        """Give the slots back while we are still a member, then let Faust leave the group."""
        stop_within(STOP_S)
        internals.cancel_quietly(self._watchdog)
        if self._pulse is not None:
            self._pulse.end()
        if self._is_whole:  # else it is stopped in its start: there is nothing to give back, and no producer to say so with
            for step in self.before_stop:
                await step()
            await self._revoked()
            for step in self.after_release:
                await step()
        await super().on_stop()
        for runner in self.runners:
            runner.stop()
        for step in self.after_stop:
            await step()
        internals.cancel_quietly(self._collector)  # Faust waits a second for tasks that are left

    async def _revoked(self, *args: Any, **kwargs: Any) -> None:
        for runner in self.runners:
            await runner.release()
        self.consumer.forget()  # behind the last: each asks the group's consent by a commit

    async def _recovered(self, *args: Any, **kwargs: Any) -> None:
        for runner in self.runners:
            await runner.load()


async def consume(
    app: EngineApp, stream: Any, take: Callable[[Arrival], Awaitable[None]], reject: Callable[[Arrival, ValueError], Awaitable[None]]
) -> None:
    """The body of every agent: hand on each record of each event; a bad one goes where `reject` puts it; a bug ends the process.

    `noack`: the offset is committed by the runner's checkpoints, never because the loop went round.
    """
    async for event in stream.noack().events():
        for arrival in event.value:
            try:
                await take(arrival)
            except ValueError as error:
                await reject(arrival, error)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                die(f"agent of {arrival.topic}: {type(error).__name__}: {error}", error)


def run(app: EngineApp, loglevel: str = "WARNING", services: Sequence[Any] = ()) -> int:
    """Run a worker in the foreground until SIGINT or SIGTERM; the exit status."""
    faulthandler.enable()  # a crash inside a library says in which thread, and where in Python
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    sys.setswitchinterval(SWITCH_S)
    worker = internals.Worker(app, *services, loglevel=loglevel, quiet=True, console_port=0, redirect_stdouts=False, override_logging=False)
    try:
        worker.execute_from_commandline()
    except SystemExit as leave:
        return int(leave.code or 0)
    return 0
