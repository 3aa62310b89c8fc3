"""Named points at which a test has the process die or be stopped: GINKGO_FAULT=NAME:N kills it at the N-th pass, as kill -9 would.

GINKGO_FAULT=NAME:N:STOP:FILE stops it there instead, as SIGSTOP would, counting from when FILE is there: it holds then what is not
acknowledged, and goes on with it at SIGCONT. NAME is a point's, or POINT.RUNNER for that of one runner.
"""

from __future__ import annotations

import os
import signal

_name, _count, _action, _file = [*os.environ.get("GINKGO_FAULT", "").split(":", 3), "", "", ""][:4]
_left = int(_count or 1)


def point(name: str, runner: str = "") -> None:
    """Die or stop here if the test asked for it."""
    global _left
    if _name and _name in (name, f"{name}.{runner}") and (not _file or os.path.exists(_file)):
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGSTOP if _action == "STOP" else signal.SIGKILL)
