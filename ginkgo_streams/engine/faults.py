"""Named points at which a test can have the process die: GINKGO_FAULT=NAME:N kills it at the N-th pass, as kill -9 would."""

from __future__ import annotations

import os
import signal

_name, _, _count = os.environ.get("GINKGO_FAULT", "").partition(":")
_left = int(_count or 1)


def point(name: str) -> None:
    """Die here if the test asked for it."""
    global _left
    if name == _name:
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
