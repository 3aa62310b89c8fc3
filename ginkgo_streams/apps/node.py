"""The execution node: portfolios on a Faust app of the group execution_node_group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial

from aiokafka.errors import KafkaError

from ginkgo_streams import messages as m
from ginkgo_streams.agents.node.control_commands import control_commands
from ginkgo_streams.agents.node.orders_feedback import orders_feedback
from ginkgo_streams.agents.node.ticks import ticks
from ginkgo_streams.apps.cluster import Cluster, now
from ginkgo_streams.apps.exchange_rules import profile_of
from ginkgo_streams.apps.fees import adopt, keep_fees
from ginkgo_streams.apps.heartbeat import Heartbeat
from ginkgo_streams.apps.load import warn, watch_load
from ginkgo_streams.apps.lookout import STOPPED
from ginkgo_streams.apps.reach import watch_kafka
from ginkgo_streams.apps.replacing import keep_copies, keep_placement
from ginkgo_streams.components import installed
from ginkgo_streams.config import Settings
from ginkgo_streams.domain.portfolios import Portfolios
from ginkgo_streams.engine import internals
from ginkgo_streams.engine.app import AppSettings, EngineApp
from ginkgo_streams.engine.fatal import cannot_start
from ginkgo_streams.engine.owned import OwnedSlot
from ginkgo_streams.engine.provision import provision
from ginkgo_streams.engine.reducer import Slot
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.slots.portfolios import PortfolioSlot
from ginkgo_streams.tables.portfolios import portfolios
from ginkgo_streams.tables.windows import windows
from ginkgo_streams.topics import CONTROL, EVENTS, FEEDBACK, MARKET_DATA, NODE_APP, SUBMISSION, TICKS, all_topics
from ginkgo_streams.web.listen import DEFAULT_PORT, CannotListen, listen, reached_at
from ginkgo_streams.web.node import ThisNode
from ginkgo_streams.web.views import node_views

log = logging.getLogger("ginkgo.node")


def app_settings(settings: Settings, app_id: str) -> AppSettings:
    """The engine's settings out of ours."""
    return AppSettings(
        app_id=app_id, node_id=settings.node.id, bootstrap=settings.kafka.bootstrap, datadir=settings.datadir / app_id,
        capacity=settings.node.max_portfolios if app_id == NODE_APP else 0,
        session_timeout_s=settings.kafka.session_timeout, heartbeat_s=settings.kafka.heartbeat, standbys=settings.kafka.standbys,
        web_enabled=settings.web.enabled and app_id == NODE_APP, web_host=settings.web.host, web_port=settings.web.port or DEFAULT_PORT,
    )  # fmt: skip


def node_app(settings: Settings) -> EngineApp:
    """The Faust app of one execution node."""
    kafka, node_id = settings.kafka, settings.node.id
    profile = profile_of(settings)
    components = installed()
    app = EngineApp(app_settings(settings, NODE_APP))
    cluster = Cluster(kafka.bootstrap, NODE_APP, kafka.slots)
    owned: dict[int, Portfolios] = {}
    started: set[str] = set()

    def make_slot(index: int) -> Slot:
        return PortfolioSlot(index, node_id, profile, kafka.market_data_partitions, note_started, components)

    def active() -> list[str]:
        return [name for state in owned.values() for name in state.active()]

    def note_started() -> None:
        here = set(active())
        for name in sorted(here - started):
            log.info("PortfolioProcessor-%s started", name)
            log.info("Portfolio %s is now running on %s", name, node_id)
        started.clear()
        started.update(here)

    def loaded(slots: Mapping[int, OwnedSlot]) -> None:
        owned.clear()
        owned.update({index: each.slot.state for index, each in slots.items() if isinstance(each.slot, PortfolioSlot)})
        count = sum(len(state.portfolios) for state in owned.values())
        log.info("Found %d Portfolio%s to load", count, "" if count == 1 else "s")
        log.info("Starting Kafka consumer for topic: %s", MARKET_DATA)
        log.info("Starting PortfolioProcessor threads...")
        note_started()

    runner = Runner(
        app,
        "portfolios",
        [portfolios(app, kafka.slots), windows(app, kafka.slots)],
        make_slot,
        inputs=[TICKS, FEEDBACK, CONTROL],
        claims=lambda index: [(SUBMISSION, index)],
        claim_message=lambda index, epoch: m.encode(m.Claim(timestamp=now(), node_id=node_id, slot=index, epoch=epoch)),
        base=cluster.base,
        raise_base=lambda value: cluster.raise_base(app, value),
        on_loaded=loaded,
        on_released=owned.clear,
    )
    app.runners.append(runner)
    for declare in (ticks, orders_feedback, control_commands):
        declare(app, runner)
    app.assignor.wishes = cluster.wishes
    app.assignor.warm = frozenset()
    heartbeat = Heartbeat(settings, active, partial(warn, app), lambda: app.web_address)
    node_views(ThisNode(app, runner, owned, heartbeat.started_at), kafka.slots)

    async def before_start() -> None:
        log.info("Starting ExecutionNode: %s", node_id)
        if app.conf.web_enabled:
            serve_views(app, settings)
        log.info("Connecting to Kafka: %s", kafka.bootstrap)
        await provision(kafka.bootstrap, all_topics(kafka.slots, kafka.market_data_partitions, kafka.replicas), kafka.connect_timeout)
        if settings.redis is not None:
            log.info("Connecting to Redis: %s:%d", settings.redis.host, settings.redis.port)
        await cluster.start()
        adopt(cluster, profile.commission)
        log.info("Loading Portfolios from database...")

    watching: list[asyncio.Task[None]] = []

    async def ready() -> None:
        watching.append(asyncio.create_task(keep_placement(app, cluster)))
        watching.append(asyncio.create_task(keep_copies(app, cluster, runner)))
        watching.append(asyncio.create_task(keep_fees(cluster, profile.commission)))
        watching.append(asyncio.create_task(watch_kafka(app, kafka.bootstrap)))
        watching.append(asyncio.create_task(watch_load(app, runner, lambda slot: owned[slot].active() if slot in owned else ())))
        await tell(app, m.NodeOnline(timestamp=now(), node_id=node_id))
        heartbeat.start()
        log.info("ExecutionNode ready, processing events...")

    async def before_stop() -> None:
        log.info("Waiting for queues to drain (%d messages remaining)", runner.backlog())

    async def after_release() -> None:
        for task in watching:
            internals.cancel_quietly(task)
        offline = m.NodeOffline(timestamp=now(), node_id=node_id, reason=STOPPED)
        await asyncio.gather(heartbeat.stop(), tell(app, offline), leave(app, cluster))  # others wait for our slots

    async def after_stop() -> None:
        await cluster.stop()
        log.info("ExecutionNode stopped")

    app.before_start.append(before_start)
    app.when_ready.append(ready)
    app.before_stop.append(before_stop)
    app.after_release.append(after_release)
    app.after_stop.append(after_stop)
    return app


def serve_views(app: EngineApp, settings: Settings) -> None:
    """Bind the web views; an address that cannot be had ends the process, exit status 1. Faust's --web-bind and --web-port count."""
    host, port = app.conf.web_bind, app.conf.web_port
    try:
        sock = listen(host, port, exactly=settings.web.port is not None or port != DEFAULT_PORT)
    except CannotListen as error:
        cannot_start(error)
    app.serve(sock, reached_at(sock, settings.web.advertise))
    log.info("Web views: http://%s/nodes", app.web_address)


async def leave(app: EngineApp, cluster: Cluster) -> None:
    """Put on record that this process stops as told, so that it is not missed."""
    node_id = app.engine.node_id
    update = m.ScheduleUpdate(timestamp=now(), kind="node", subject=node_id, active=False, value=app.assignor.started, reason=STOPPED)
    try:
        async with asyncio.timeout(5):
            await cluster.decide(app, update)
    except (KafkaError, TimeoutError) as error:
        log.warning("That %s stops could not be put on record, so it will be missed: %r", node_id, error)


async def tell(app: EngineApp, event: m.NodeOnline | m.NodeOffline) -> None:
    """Say on the system topic that this node came or goes (a line for people: nothing depends on it)."""
    try:
        async with asyncio.timeout(5):
            await (await internals.send(app, EVENTS, event.node_id.encode(), m.encode(event), None))
    except (KafkaError, TimeoutError) as error:
        log.warning("%s of %s could not be published: %r", type(event).__name__, event.node_id, error)
