"""The components that are installed: those of the kernel, ModelStrategy, and those of other packages, found by their entry points.

A package adds its own with an entry point of the group "ginkgo.components" that names a class as `domain.component` describes it:

    [project.entry-points."ginkgo.components"]
    MyStrategy = "my_strategy:MyStrategy"
"""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_args

import msgspec

from ginkgo_streams.domain.component import Kind
from ginkgo_streams.domain.registry import Registry, builtin
from ginkgo_streams.model_strategy import ModelStrategy

GROUP = "ginkgo.components"

METHODS: dict[str, tuple[str, ...]] = {"strategy": ("history", "signals"), "sizer": ("volume",), "selector": ("codes",), "risk": ()}
"""Methods that a component of a kind must have; a risk manager has one of RISK at least."""
RISK = ("watch", "force", "check")

log = logging.getLogger("ginkgo.components")


@dataclass(frozen=True, slots=True)
class Broken:
    """An entry point that gives no component, and why."""

    name: str
    value: str
    error: str


@dataclass(frozen=True, slots=True)
class Installed:
    """What was found. A portfolio that names a broken component is refused, or in error, by name."""

    registry: Registry
    broken: tuple[Broken, ...]


@functools.cache
def find() -> Installed:
    """Look once in this process; what is broken is logged."""
    registry, broken = builtin.plus([ModelStrategy]), []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        try:
            registry = registry.plus([_load(point)])
        except Exception as error:  # the code of others: whatever it raises, it does not keep the rest from working
            broken.append(Broken(point.name, point.value, f"{type(error).__name__}: {error}"))
            log.error("The component %s (%s) cannot be used: %s: %s", point.name, point.value, type(error).__name__, error)
    return Installed(registry, tuple(broken))


def installed() -> Registry:
    """The registry of all components that are installed."""
    return find().registry


def _load(point: EntryPoint) -> type[Any]:
    """The class of an entry point. Raises what its module raises, and TypeError where it is no component."""
    cls = point.load()
    if wrong := _wrong(cls):
        raise TypeError(f"it is no component: {wrong}")
    found: type[Any] = cls
    return found


def _wrong(cls: Any) -> str:
    """Why an object is no component class; empty where it is one."""
    kinds = get_args(Kind)
    kind = getattr(cls, "kind", None)
    if not isinstance(cls, type) or kind is None or kind not in kinds:
        return f"it has to be a class with a `kind` of {', '.join(kinds)}"
    if not isinstance(getattr(cls, "component_id", None), str):
        return "`component_id` has to be a text"
    params = getattr(cls, "Params", None)
    if not (isinstance(params, type) and issubclass(params, msgspec.Struct)):
        return "`Params` has to be a msgspec.Struct"
    missing = [name for name in METHODS[kind] if not callable(getattr(cls, name, None))]
    if missing:
        return f"a {kind} needs the method {missing[0]}"
    if kind == "risk" and not any(hasattr(cls, name) for name in RISK):
        return f"a risk manager needs one of the methods {', '.join(RISK)}"
    return ""
