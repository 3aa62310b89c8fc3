"""What `faust -A ginkgo` and `faust -A ginkgo.livecore` load: the command line's two apps, settings from environment and files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ginkgo_streams.config import ConfigErrors, Role, Settings, load_settings

if TYPE_CHECKING:
    import faust


def node() -> faust.App:
    """The app of an execution node. Wrong settings end the process with their list, exit status 1."""
    from ginkgo_streams.apps import node_app

    return _built(node_app, "execution_node")


def livecore() -> faust.App:
    """The app of livecore. Wrong settings end the process with their list, exit status 1."""
    from ginkgo_streams.apps import livecore_app

    return _built(livecore_app, "livecore")


def _built(build: Callable[[Settings], faust.App], role: Role) -> faust.App:
    from ginkgo_streams.apps.unfit import Unfit

    try:
        return build(load_settings(role=role))
    except (ConfigErrors, Unfit) as error:
        raise SystemExit(f"[ERROR] {error}") from None
