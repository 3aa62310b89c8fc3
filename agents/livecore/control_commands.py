"""Topic ginkgo.live.control.commands, as the gateway takes it: the commands for the engine. Those for portfolios are the nodes', and so
is a message that cannot be read at all."""

from __future__ import annotations

from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.dead_letters import dead_letter
from ginkgo_streams.domain.halts import Halt
from ginkgo_streams.engine.app import EngineApp, consume
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.topics import CONTROL


def decode(value: bytes | None) -> Halt | None:
    """A change of the switch; None for what concerns the nodes. Raises BadMessage for a command to the engine that makes no sense."""
    try:
        command = m.decode(value, m.ControlCommand)
    except m.BadMessage:
        return None
    return m.wish(command) if command.command_type in m.ENGINE_COMMANDS else None


def control_commands(app: EngineApp, gateway: Runner) -> None:
    """Declare the agent."""

    async def take(event: Any) -> None:
        await gateway.take(event, decode(event.value))

    async def reject(event: Any, error: ValueError) -> None:
        await gateway.take(event, None, also=dead_letter(app, event, error, app.engine.node_id))

    @app.agent(app.raw_topic(CONTROL), name="engine_commands")  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        await consume(app, stream, take, reject)
