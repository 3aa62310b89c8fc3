"""Running the two apps in the foreground: logging, start errors in one line, exit statuses."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from ginkgo_streams.apps.livecore import livecore_app
from ginkgo_streams.apps.node import node_app
from ginkgo_streams.apps.unfit import Unfit
from ginkgo_streams.config import Settings
from ginkgo_streams.engine.app import EngineApp, run


def run_node(settings: Settings) -> int:
    """Run an execution node until SIGINT or SIGTERM. Exit status 0, or 1 where it could not start."""
    return _run(node_app, settings)


def run_livecore(settings: Settings) -> int:
    """Run livecore until SIGINT or SIGTERM. Exit status 0, or 1 where it could not start."""
    return _run(livecore_app, settings)


def set_up_logging(level: int = logging.INFO) -> None:
    """Ginkgo's own lines as "[INFO] text" to stdout; Faust's and aiokafka's from WARNING on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("ginkgo").setLevel(level)
    logging.getLogger("ginkgo_streams").setLevel(level)
    logging.getLogger("ginkgo_streams.engine").setLevel(logging.ERROR)  # mode names services after their modules


def _run(build: Callable[[Settings], EngineApp], settings: Settings) -> int:
    set_up_logging()
    try:
        return run(build(settings))
    except Unfit as error:
        logging.getLogger("ginkgo").error("%s", error)
        return 1
