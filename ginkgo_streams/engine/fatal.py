"""The end of the process where going on could be wrong: before anything is acknowledged, without a clean-up that would."""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from typing import NoReturn

EXIT_FATAL = 70
"""Exit status of a process that stopped itself; its supervisor starts it again."""

TELL_S = 2.0
"""How long the last words may take where the log itself may be what is stuck."""

log = logging.getLogger("ginkgo.engine")


def die(reason: str, error: BaseException | None = None) -> NoReturn:
    """Say why, and end at once: what was not made durable is read again by the next owner."""
    log.critical("%s: this process ends now and has to be started again", reason)
    if error is not None:
        traceback.print_exception(error, file=sys.stderr)
    _end(EXIT_FATAL)


def die_beside(reason: str) -> NoReturn:
    """As `die`, from a thread beside one that is stuck, maybe with the log's lock."""
    teller = threading.Thread(target=log.critical, args=("%s: this process ends now and has to be started again", reason), daemon=True)
    teller.start()
    teller.join(TELL_S)
    os._exit(EXIT_FATAL)


def cannot_start(reason: BaseException) -> NoReturn:
    """Say in one line why this process cannot start, and end at once, with exit status 1: it owns nothing yet that a clean-up would
    have to give back, and Faust's would bury the line under tracebacks."""
    log.error("%s", reason)
    _end(1)


def stop_within(seconds: float) -> None:
    """End this process, which stops, with exit status 0 after so many seconds, if it has not ended by then."""

    def end() -> None:
        log.warning("Not stopped within %.0f s (is Kafka away?): ends now; the next owner recovers what was not given back", seconds)
        _end(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _end(status: int) -> NoReturn:
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(status)
