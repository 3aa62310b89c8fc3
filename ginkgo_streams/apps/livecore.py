"""Livecore: feed, tick router, order gateway, simulated exchange and snapshots, on a Faust app of the group livecore_group.

Any number may run: partitions are shared out, and the feed runs where market partition 0 is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping

from ginkgo_streams import messages as m
from ginkgo_streams.agents.livecore.control_commands import control_commands
from ginkgo_streams.agents.livecore.market_data import market_data
from ginkgo_streams.agents.livecore.orders_submission import orders_submission
from ginkgo_streams.agents.livecore.sim_orders import sim_orders
from ginkgo_streams.agents.livecore.snapshots import snapshots
from ginkgo_streams.apps.cluster import Cluster, now
from ginkgo_streams.apps.exchange_rules import exchange_settings, profile_of
from ginkgo_streams.apps.feed import FeedRunner
from ginkgo_streams.apps.fees import keep_fees
from ginkgo_streams.apps.fees import tell as tell_fees
from ginkgo_streams.apps.node import app_settings
from ginkgo_streams.apps.reach import watch_kafka
from ginkgo_streams.apps.scheduler import INTERVAL_S, Scheduler
from ginkgo_streams.apps.stores import stores
from ginkgo_streams.config import Settings
from ginkgo_streams.domain.exchange.exchange import Exchange
from ginkgo_streams.engine import internals
from ginkgo_streams.engine.app import EngineApp
from ginkgo_streams.engine.fatal import die
from ginkgo_streams.engine.owned import OwnedSlot
from ginkgo_streams.engine.provision import provision
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.engine.sink import Sink
from ginkgo_streams.portfolios.create import resend_at_start
from ginkgo_streams.routing import Router
from ginkgo_streams.slots.exchange import ExchangeSlot
from ginkgo_streams.slots.gateway import GatewaySlot
from ginkgo_streams.tables.exchange import exchange
from ginkgo_streams.tables.gateway import gateway
from ginkgo_streams.topics import CONTROL, FEEDBACK, HALTS, LIVECORE_APP, MARKET_DATA, SIM_ORDERS, SUBMISSION, TICKS, all_topics

log = logging.getLogger("ginkgo.livecore")


def livecore_app(settings: Settings) -> EngineApp:
    """The Faust app of one livecore."""
    kafka, node_id = settings.kafka, settings.node.id
    slots, markets = kafka.slots, kafka.market_data_partitions
    profile, rules = profile_of(settings), exchange_settings(settings)
    app = EngineApp(app_settings(settings, LIVECORE_APP))
    cluster = Cluster(kafka.bootstrap, LIVECORE_APP, slots)
    feed = FeedRunner(settings, profile)
    scheduler = Scheduler(settings, app, cluster)

    def claim(index: int, epoch: int) -> bytes:
        return m.encode(m.Claim(timestamp=now(), node_id=node_id, slot=index, epoch=epoch))

    async def raise_base(value: int) -> None:
        await cluster.raise_base(app, value)

    def exchange_loaded(partitions: Mapping[int, OwnedSlot]) -> None:
        if 0 in partitions:
            feed.start()
            scheduler.start()

    def exchange_released() -> None:
        feed.stop_soon()
        scheduler.stop_soon()

    gateways = Runner(
        app, "gateway", [gateway(app, slots)], lambda index: GatewaySlot(markets),
        inputs=[SUBMISSION, CONTROL], claims=lambda index: [], claim_message=claim, base=cluster.base, raise_base=raise_base,
    )  # fmt: skip
    exchanges = Runner(
        app, "exchange", [exchange(app, markets)], lambda index: ExchangeSlot(index, Exchange(profile, rules), slots),
        inputs=[MARKET_DATA, SIM_ORDERS], claim_message=claim,
        claims=lambda index: [*((FEEDBACK, slot) for slot in range(slots)), (HALTS, 0)],
        base=cluster.base, raise_base=raise_base, on_loaded=exchange_loaded, on_released=exchange_released,
    )  # fmt: skip
    app.runners += [gateways, exchanges]

    async def send_ticks(slot: int, value: bytes) -> object:
        acknowledged: Awaitable[object] = await internals.send(app, TICKS, str(slot).encode(), value, slot)
        return await acknowledged

    router = Router(cluster.interest, send_ticks, on_error=lambda error: die("the tick router", error))
    views = Sink(app, stores(app, settings))
    market_data(app, exchanges, router)
    orders_submission(app, gateways)
    control_commands(app, gateways)
    sim_orders(app, exchanges)
    snapshots(app, views)

    async def before_start() -> None:
        log.info("Starting LiveCore services...")
        await provision(kafka.bootstrap, all_topics(slots, markets, kafka.replicas), kafka.connect_timeout)
        await cluster.start()
        log.info("Starting Data module...")
        log.info("Subscribing to market data: %s", settings.livecore.data_source.capitalize())
        log.info("Starting TradeGateway...")
        log.info("Broker type: %s", settings.livecore.broker_type)
        log.info("Starting LiveEngine...")
        log.info("Subscribing to Kafka topic: %s", SUBMISSION)
        log.info("Starting Scheduler...")
        log.info("Scheduling interval: %gs", INTERVAL_S)

    started: list[asyncio.Task[None]] = []  # the loop itself holds tasks only weakly

    async def ready() -> None:
        views.start()
        await tell_fees(app, cluster, settings)
        started.append(asyncio.create_task(keep_fees(cluster, profile.commission)))
        started.append(asyncio.create_task(watch_kafka(app, kafka.bootstrap)))
        started.append(asyncio.create_task(resend_at_start(settings)))
        log.info("LiveCore ready")

    async def before_stop() -> None:
        await feed.stop()
        log.info("Waiting for queues to drain (%d messages remaining)", gateways.backlog() + exchanges.backlog())

    async def after_release() -> None:
        for task in started:
            internals.cancel_quietly(task)
        await router.close()
        await views.stop()

    async def after_stop() -> None:
        await cluster.stop()
        log.info("LiveCore stopped")

    app.before_start.append(before_start)
    app.when_ready.append(ready)
    app.before_stop.append(before_stop)
    app.after_release.append(after_release)
    app.after_stop.append(after_stop)
    return app
