"""Topic of ticks (router to portfolios): prices and the clock for the portfolios of a slot."""

from __future__ import annotations

from ginkgo_streams import messages as m
from ginkgo_streams.agents.reducing import reducing
from ginkgo_streams.engine.app import EngineApp
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.topics import TICKS


def ticks(app: EngineApp, runner: Runner) -> None:
    """Declare the agent."""
    reducing(app, runner, TICKS, "ticks", m.decode_ticks)
