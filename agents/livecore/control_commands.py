"""Topic ginkgo.live.control.commands, as the gateway takes it: the commands for the engine. Those for portfolios are the nodes', and so
is a message that cannot be read at all."""

from __future__ import annotations

from ginkgo_streams import messages as m
from ginkgo_streams.agents.reducing import reducing
from ginkgo_streams.domain.halts import Halt
from ginkgo_streams.engine.app import EngineApp
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
    reducing(app, gateway, CONTROL, "engine_commands", decode)
