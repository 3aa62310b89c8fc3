"""Calls into components: whatever a user's code raises becomes `ComponentFailed`, which stops its own portfolio only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class ComponentFailed(Exception):
    """A component raised or answered nonsense. The text names it."""


def guarded(name: str, call: Callable[..., T], *arguments: Any) -> T:
    """Call a component. Raises ComponentFailed for whatever it raises."""
    try:
        return call(*arguments)
    except Exception as error:  # a user's code may raise anything; the kernel's own errors are raised outside of such calls
        raise ComponentFailed(f"{name} raised {type(error).__name__}: {error}{_place(error)}") from error


def _place(error: Exception) -> str:
    """Where in whose file, as far as it is known: " (my_strategy.py, line 42)"."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f" ({trace.tb_frame.f_code.co_filename.replace(chr(92), '/').rpartition('/')[2]}, line {trace.tb_lineno})"
