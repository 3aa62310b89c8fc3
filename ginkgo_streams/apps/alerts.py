"""Alerts of processes about machines and servers, on `ginkgo.alerts`. Those about trading come out of the kernel, with ids that repeat."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Literal
from uuid import uuid4

from ginkgo_streams import messages as m
from ginkgo_streams.apps.cluster import now
from ginkgo_streams.engine import internals
from ginkgo_streams.topics import ALERTS

Severity = Literal["info", "warning", "critical"]


async def raise_alert(app: Any, alert_type: str, severity: Severity, source: str, text: str, details: dict[str, Any]) -> Awaitable[Any]:
    """Hand an alert to the producer; what is returned is done when the brokers have it."""
    alert = m.Alert(
        alert_id=str(uuid4()), alert_type=alert_type, severity=severity, source=source, message=text, details=details, timestamp=now()
    )
    return await internals.send(app, ALERTS, source.encode(), m.encode(alert), None)
