"""From pydantic's errors to `Problem`s: which source the value came from, what is expected, and no secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ginkgo_streams.config.errors import Problem
from ginkgo_streams.config.schema import RealBroker, Settings
from ginkgo_streams.config.sources import Source

_SECRET = ("password", "token", "secret", "key", "url")
_NOISE = ("default_factory_not_called",)
_TAGS = ("simulation", "real")


def problems_of(error: ValidationError, sources: Sequence[Source]) -> list[Problem]:
    """Every error of the validation, in the words of the place that its value came from."""
    return [_problem(one, sources) for one in error.errors(include_url=False) if one["type"] not in _NOISE]


def _problem(one: ErrorDetails, sources: Sequence[Source]) -> Problem:
    path = _path(one["loc"])
    return Problem(origin(path, sources), ".".join(path), _shown(one, path), _expected(one))


def origin(path: tuple[str, ...], sources: Sequence[Source]) -> str:
    """What the user calls the place that gave a field its value, or would be the place for it."""
    source, depth = _deepest(path, sources)
    if source is None:
        return "configuration"
    variable = next((name for at, name in source.names.items() if at == path[:depth]), None)
    return f"environment variable {variable}" if variable else source.label


def _path(loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """Where it stands in the file: without the tag that pydantic puts behind a broker's name."""
    path = [str(part) for part in loc if part != "[key]"]
    if path[0] == "brokers" and len(path) > 2 and path[2] in _TAGS:
        del path[2]
    return tuple(path)


def _deepest(path: tuple[str, ...], sources: Sequence[Source]) -> tuple[Source | None, int]:
    """The first source that has the field, or else the most of the way to it, and how much of the way that is."""
    best: tuple[Source | None, int] = (None, 0)
    for source in sources:
        depth, at = 0, source.values
        for part in path:
            if not isinstance(at, Mapping) or part not in at:
                break
            depth, at = depth + 1, at[part]
        if depth > best[1]:
            best = (source, depth)
    return best


def _shown(one: ErrorDetails, path: tuple[str, ...]) -> str | None:
    """The value, unless it is or may hold a secret: a mapping, what stands where a mapping should, an unknown key's value (a password
    misspelt), an address."""
    value = one["input"]
    if one["type"] in ("missing", "extra_forbidden", "model_type", "dict_type", "model_attributes_type") or not isinstance(
        value, (str, int, float, bool)
    ):
        return None
    if any(word in path[-1].lower() for word in _SECRET):
        return None
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _expected(one: ErrorDetails) -> str:
    kind, context = one["type"], one.get("ctx", {})
    if kind == "missing":
        return "missing, and it has no default"
    if kind == "extra_forbidden":
        return f"unknown key, expected one of {', '.join(_known(one['loc']))}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"expected text like {context['pattern']}"
    text = one["msg"]
    return text.replace("Input should be", "expected", 1) if text.startswith("Input should be") else text[0].lower() + text[1:]


def _known(loc: tuple[int | str, ...]) -> list[str]:
    """The fields of the section in which an unknown key stands."""
    model: Any = Settings
    for part in loc[:-1]:
        fields: Mapping[str, Any] = getattr(model, "model_fields", {})
        if part in fields:
            model = _section(fields[str(part)].annotation)
        elif part == "real":
            model = RealBroker
    return list(getattr(model, "model_fields", {}))


def _section(annotation: Any) -> Any:
    """The model in an annotation such as `MysqlSettings | None` or `dict[str, TopicSettings]`."""
    if hasattr(annotation, "model_fields"):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _section(argument)
        if found is not None:
            return found
    return None
