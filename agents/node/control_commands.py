"""Topic ginkgo.live.control.commands: what people and programs ask of portfolios."""

from __future__ import annotations

from typing import Any

from ginkgo_streams import messages as m
from ginkgo_streams.dead_letters import dead_letter
from ginkgo_streams.domain import events as d
from ginkgo_streams.engine.app import EngineApp, consume
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.topics import CONTROL


def decode(value: bytes | None) -> d.Command | None:
    """A command as the kernel takes it; None for one to the engine, which the gateway carries out. Raises BadMessage."""
    message = m.decode(value, m.ControlCommand)
    return None if message.command_type in m.ENGINE_COMMANDS else m.command(message)


def control_commands(app: EngineApp, runner: Runner) -> None:
    """Declare the agent."""

    async def take(event: Any) -> None:
        await runner.take(event, decode(event.value))

    async def reject(event: Any, error: ValueError) -> None:
        await runner.take(event, None, also=dead_letter(app, event, error, app.engine.node_id))

    @app.agent(app.raw_topic(CONTROL), name="control_commands")  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        await consume(app, stream, take, reject)
