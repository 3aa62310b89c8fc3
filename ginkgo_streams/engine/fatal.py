"""The end of the process where going on could be wrong: before anything is acknowledged, without a clean-up that would."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import NoReturn

EXIT_FATAL = 70
"""Exit status of a process that stopped itself; its supervisor starts it again."""

log = logging.getLogger("ginkgo.engine")


def die(reason: str, error: BaseException | None = None) -> NoReturn:
    """Say why, and end at once: what was not made durable is read again by the next owner."""
    log.critical("%s: this process ends now and has to be started again", reason)
    if error is not None:
        traceback.print_exception(error, file=sys.stderr)
    _end(EXIT_FATAL)


def cannot_start(reason: BaseException) -> NoReturn:
    """Say in one line why this process cannot start, and end at once, with exit status 1: it owns nothing yet that a clean-up would
    have to give back, and Faust's would bury the line under tracebacks."""
    log.error("%s", reason)
    _end(1)


def _end(status: int) -> NoReturn:
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(status)
