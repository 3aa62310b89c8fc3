"""The two Faust apps, put together from engine, slots, tables and agents, and the commands that run them."""

from ginkgo_streams.apps.livecore import livecore_app
from ginkgo_streams.apps.node import node_app
from ginkgo_streams.apps.run import run_livecore, run_node

__all__ = ["livecore_app", "node_app", "run_livecore", "run_node"]
