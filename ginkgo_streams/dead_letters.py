"""Where bad messages go: `<topic>.dlq`, with the reason and the original bytes, and an alert. They are never dropped."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Any

from ginkgo_streams.engine.arrival import Arrival
from ginkgo_streams.engine.internals import send_with_headers
from ginkgo_streams.messages import Alert, encode, iso
from ginkgo_streams.topics import ALERTS, DLQ

log = logging.getLogger("ginkgo")


def dead_letter(app: Any, arrival: Arrival, error: ValueError, source: str) -> asyncio.Future[Any]:
    """Send it there; what is returned is done when both letter and alert are acknowledged."""
    return asyncio.ensure_future(_send(app, arrival, error, source))


async def _send(app: Any, arrival: Arrival, error: ValueError, source: str) -> None:
    place = f"{arrival.topic}[{arrival.partition}]@{arrival.offset}"
    log.warning("Dead letter from %s: %s", place, error)
    headers = [("reason", str(error).encode()), ("topic", arrival.topic.encode()), ("position", place.encode())]
    alert = Alert(
        alert_id=str(uuid.uuid5(uuid.NAMESPACE_URL, place)), alert_type="data_anomaly", severity="warning", source=source,
        message=f"message at {place} went to {arrival.topic}{DLQ}: {error}", details={"position": place},
        timestamp=iso(arrival.timestamp),
    )  # fmt: skip
    letter = await send_with_headers(app, arrival.topic + DLQ, arrival.key, arrival.value, 0, headers)
    notice = await send_with_headers(app, ALERTS, source.encode(), encode(alert), None, [])
    await letter
    await notice
