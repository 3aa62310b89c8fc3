"""Topic ginkgo.live.system.events: nodes that come and go, for the log."""

from __future__ import annotations

import logging
from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.dead_letters import dead_letter
from ginkgo_streams.engine.app import EngineApp, consume
from ginkgo_streams.engine.sink import Sink
from ginkgo_streams.topics import EVENTS

log = logging.getLogger("ginkgo.livecore")


def system_events(app: EngineApp, sink: Sink) -> None:
    """Declare the agent."""

    async def take(event: Any) -> None:
        message = m.decode(event.value, m.SystemEvent)
        if isinstance(message, m.NodeOnline):
            log.info("Detected new ExecutionNode: %s", message.node_id)
        elif isinstance(message, m.NodeOffline):
            log.warning("ExecutionNode %s has left: %s", message.node_id, message.reason)
        sink.skip(event)

    async def reject(event: Any, error: ValueError) -> None:
        await dead_letter(app, event, error, app.engine.node_id)
        sink.skip(event)

    @app.agent(app.raw_topic(EVENTS), name="system_events")  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        await consume(app, stream, take, reject)
