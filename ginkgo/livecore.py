"""`app` for `faust -A ginkgo.livecore worker`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    app: Any


def __getattr__(name: str) -> Any:
    """`app`, the Faust app of livecore, built from the settings when it is first asked for."""
    if name != "app":
        raise AttributeError(f"module 'ginkgo.livecore' has no attribute {name!r}")
    from ginkgo_streams.entry import livecore

    return globals().setdefault("app", livecore())
