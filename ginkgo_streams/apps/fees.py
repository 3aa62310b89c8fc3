"""The broker's commission, the same in every process: what the livecore that started last is configured with.

Nodes freeze and size with it, livecore books with it, and each is started with a configuration of its own, or with `--broker-type`.
"""

from __future__ import annotations

import logging
from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.apps.cluster import Cluster, now
from ginkgo_streams.apps.exchange_rules import broker_of, commission_of
from ginkgo_streams.config import Settings
from ginkgo_streams.domain.market.cn import Commission
from ginkgo_streams.engine.fatal import die

log = logging.getLogger("ginkgo.engine")

BROKER = "broker"

LOOK_S = 60.0
"""Longest pause between two looks; a new word is seen at once."""


def word(settings: Settings, node_id: str) -> m.ScheduleUpdate:
    """What a livecore tells all: the commission of its broker."""
    broker = broker_of(settings)
    return m.ScheduleUpdate(
        timestamp=now(), kind="fees", subject=BROKER, node_id=node_id, commission_rate=str(broker.commission_rate),
        value=m.units(float(broker.min_commission)), reason=f"broker {settings.livecore.broker_type}",
    )  # fmt: skip


async def tell(app: Any, cluster: Cluster, settings: Settings) -> None:
    """Let the commission of our broker count, if another does."""
    own = word(settings, app.engine.node_id)
    known = cluster.decided("fees").get(BROKER)
    if known is None or commission_of(known) != commission_of(own):
        await cluster.decide(app, own)


def adopt(cluster: Cluster, commission: Commission) -> None:
    """Take the commission that counts, between two rounds of the writer; before the first word of a livecore it is our configuration's."""
    update = cluster.decided("fees").get(BROKER)
    if update is None or (new := commission_of(update)) == commission:
        return
    log.warning(
        "Commission of the broker is %s of the amount, at least %s CNY an order, says %s (%s); here it was %s and %s",
        update.commission_rate, _cny(new.minimum), update.node_id, update.reason, float(commission.rate), _cny(commission.minimum),
    )  # fmt: skip
    commission.rate, commission.minimum = new.rate, new.minimum


async def keep_fees(cluster: Cluster, commission: Commission) -> None:
    """Adopt each change, for ever; an unexpected error ends the process, as everywhere in the engine."""
    try:
        known = -1
        while True:
            adopt(cluster, commission)
            known = await cluster.schedule_table.newer_than(known, LOOK_S)
    except Exception as error:
        die("keeping the broker's fees", error)


def _cny(units: int) -> str:
    return f"{units / 10_000:g}"
