"""Topic ginkgo.live.control.commands: what people and programs ask of portfolios."""

from __future__ import annotations

from ginkgo_streams import messages as m
from ginkgo_streams.agents.reducing import reducing
from ginkgo_streams.domain import events as d
from ginkgo_streams.engine.app import EngineApp
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.topics import CONTROL


def decode(value: bytes | None) -> d.Command | None:
    """A command as the kernel takes it; None for one to the engine, which the gateway carries out. Raises BadMessage."""
    message = m.decode(value, m.ControlCommand)
    return None if message.command_type in m.ENGINE_COMMANDS else m.command(message)


def control_commands(app: EngineApp, runner: Runner) -> None:
    """Declare the agent."""
    reducing(app, runner, CONTROL, "control_commands", decode)
