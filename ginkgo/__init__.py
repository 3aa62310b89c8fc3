"""What users import: `from ginkgo import services`, and `app` for `faust -A ginkgo worker`. Importing it loads nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    app: Any


def __getattr__(name: str) -> Any:
    """`app`, the Faust app of an execution node, built from the settings when it is first asked for."""
    if name != "app":
        raise AttributeError(f"module 'ginkgo' has no attribute {name!r}")
    from ginkgo_streams.entry import node

    return globals().setdefault("app", node())
