"""An audit of a running system: read, check, and read on while something is still in flight."""

from __future__ import annotations

import asyncio
import time

from ginkgo_streams.audit.check import audit
from ginkgo_streams.audit.report import AuditReport
from ginkgo_streams.audit.topics import CannotRead, Progress, TopicReader

AGAIN_S = 0.5
"""Pause between two readings."""


async def audit_cluster(bootstrap_servers: str, wait_s: float = 10.0, progress: Progress | None = None) -> AuditReport:
    """Audit the topics of a cluster. Orders and reports on their way look like differences: it is read again until all agrees and
    every order has an answer, or wait_s is over. Raises CannotRead when Kafka was not reached within wait_s."""
    reader = TopicReader(bootstrap_servers)
    deadline = time.monotonic() + wait_s
    while True:
        report: AuditReport | None = None
        try:
            report = audit(await reader.read(progress))
        except CannotRead:
            if time.monotonic() >= deadline:
                raise
        if report is not None and ((report.ok and not report.pending) or time.monotonic() >= deadline):
            return report
        await asyncio.sleep(AGAIN_S)
