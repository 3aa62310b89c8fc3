"""Whether Kafka answers. While it does not, only the log can say so; when it is back the alerts tell from when to when it was away."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from ginkgo_streams import messages as m
from ginkgo_streams.apps.alerts import raise_alert
from ginkgo_streams.engine import internals
from ginkgo_streams.engine.fatal import die
from ginkgo_streams.topics import ALERTS

log = logging.getLogger("ginkgo.kafka")

LOOK_S = 1.0
ANSWER_S = 3.0
"""Longest time for an answer: what takes longer stops trading as well as no answer."""
LOOKS = 2
"""Answers that fail in a row before anything is said. One fails too where this process itself stood still."""


async def watch_kafka(app: Any, address: str) -> None:
    """Ask every second, for ever. Faust and the producer try again by themselves, so nothing else has to be done."""
    since, failed = 0.0, 0
    try:
        while True:
            await asyncio.sleep(LOOK_S)
            asked = time.time()
            trouble = await _asked(app)
            if trouble is None:
                if failed >= LOOKS:
                    await _tell(app, address, since)
                failed = 0
                continue
            failed += 1
            since = asked if failed == 1 else since
            if failed == LOOKS:
                log.critical("Kafka does not answer at %s, tries again: %s; nothing trades until it does", address, trouble)
    except Exception as error:
        die("watching Kafka", error)


async def _asked(app: Any) -> str | None:
    """None where it answered, else what is wrong."""
    try:
        async with asyncio.timeout(ANSWER_S):
            await internals.end_offsets(app, [TP(ALERTS, 0)])
    except TimeoutError:
        return f"no answer in {ANSWER_S:g} s"
    except KafkaError as error:
        return str(error) or type(error).__name__
    return None


async def _tell(app: Any, address: str, since: float) -> None:
    """That it was away, and that it is back: by the log at once, by alerts that the producer has until they are taken."""
    seconds = time.time() - since
    details = {"component": "Kafka", "address": address, "since": m.iso(round(since * 1_000)), "seconds": round(seconds, 1)}
    log.warning("Kafka answers again at %s after %.1f s", address, seconds)
    was = f"Kafka did not answer at {address} for {seconds:.1f} s from {details['since']} on"
    await raise_alert(app, "component_error", "critical", app.engine.node_id, was, details)
    await raise_alert(app, "component_error", "info", app.engine.node_id, "Kafka is back", details)
