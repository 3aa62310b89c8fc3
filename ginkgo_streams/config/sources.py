"""The places that settings come from, each as nested values with a name for error messages."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic_settings import EnvSettingsSource, SettingsError

from ginkgo_streams.config.errors import Problem
from ginkgo_streams.config.schema import Settings

PREFIX = "GINKGO_"

PLAIN = {
    "NODE_ID": ("node", "id"),
    "KAFKA_BOOTSTRAP_SERVERS": ("kafka", "bootstrap_servers"),
    "REDIS_HOST": ("redis", "host"),
    "REDIS_PORT": ("redis", "port"),
    "MYSQL_HOST": ("mysql", "host"),
}
"""Environment variables without our prefix, as the compose files of the quickstart set them."""

FILES = {"config.yaml": None, "data_sources.yml": "sources", "brokers.yml": "brokers"}
"""Files of the home folder, and the one key that a file may have (None: all)."""


@dataclass(frozen=True, slots=True)
class Source:
    """Values of one place. `names`: for single fields, what the user calls them there (an environment variable)."""

    label: str
    values: Mapping[str, Any]
    names: Mapping[tuple[str, ...], str] = field(default_factory=dict)


def options(overrides: Mapping[str, Any]) -> Source:
    """The command line."""
    return Source("command line", _present(overrides))


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is None, and without sections that are empty then."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        kept = _present(value) if isinstance(value, Mapping) else value
        if kept is not None and kept != {}:
            result[key] = kept
    return result


def environment(problems: list[Problem]) -> Iterator[Source]:
    """GINKGO_SECTION__FIELD, and GINKGO_FIELD for fields outside a section. Other GINKGO_ names are not settings and are left alone
    (Kubernetes makes GINKGO_API_PORT for a service called ginkgo-api)."""
    try:
        values = EnvSettingsSource(Settings)()
    except SettingsError as error:
        named = next((n for n in Settings.model_fields if f'"{n}"' in str(error)), "")
        problems.append(
            Problem(f"environment variable {PREFIX}{named.upper()}", named, None, "expected a JSON object, or use one variable per field")
        )
        values = {}
    names: dict[tuple[str, ...], str] = {}
    for variable in os.environ:
        if variable.upper().startswith(PREFIX):
            path = tuple(variable[len(PREFIX) :].lower().split("__"))
            if path[0] in Settings.model_fields:
                names[path] = variable
            elif len(path) > 1:
                known = ", ".join(Settings.model_fields)
                problems.append(
                    Problem(
                        f"environment variable {variable}", ".".join(path), None, f"unknown section {path[0]!r}, expected one of {known}"
                    )
                )
    yield Source("environment", values, names)


def plain_environment() -> Source:
    """The variables of `PLAIN`; an empty one counts as absent, and so does the REDIS_PORT=tcp://... that Kubernetes makes for a
    service called redis."""
    values: dict[str, dict[str, str]] = {}
    for variable, (section, name) in PLAIN.items():
        value = os.environ.get(variable, "")
        if value and not value.startswith("tcp://"):
            values.setdefault(section, {})[name] = value
    return Source("environment", values, {path: variable for variable, path in PLAIN.items()})


def files(folder: Path, problems: list[Problem]) -> Iterator[Source]:
    """The files of the home folder that exist. A file that is no YAML mapping is a problem of its own."""
    for name, only in FILES.items():
        path = folder / name
        try:
            with path.open(encoding="utf-8") as file:
                content = yaml.load(file, _Loader)
        except FileNotFoundError:
            continue
        except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
            problems.append(Problem(str(path), "", None, f"cannot be read: {_short(error)}"))
            continue
        if content is None:
            continue
        if not isinstance(content, dict):
            problems.append(Problem(str(path), "", None, "expected a mapping of sections at the top level"))
            continue
        # An empty section ("redis:" with everything below it commented out) is as good as none.
        values = {str(key): value for key, value in content.items() if value is not None}
        for key in [key for key in values if only is not None and key != only]:
            del values[key]
            problems.append(Problem(str(path), key, None, f"unknown key, expected only {only!r} here"))
        yield Source(str(path), values)


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, as otherwise the last would win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping. Raises ConstructorError for a key that is not hashable or stands twice."""
        result = super().construct_mapping(node, deep)
        if len(result) < len(node.value):
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
                seen.add(str(key.value))
        return result


def _short(error: Exception) -> str:
    """One line that quotes nothing of the file, as that may be a password."""
    mark = getattr(error, "problem_mark", None)
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
    return f"{getattr(error, 'problem', None) or getattr(error, 'strerror', None) or type(error).__name__}{place}"


def local_stack(folder: Path, others: list[Source]) -> Source:
    """The addresses of what `ginkgo up` has running (local/stack.json). An address counts only where no other source says
    anything of that server: half of a configured address and half of a local one would be a third."""
    path = folder / "local" / "stack.json"
    try:
        stack = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return Source(str(path), {})
    said = {section for source in others for section in source.values}
    values: dict[str, Any] = {}
    if stack.get("kafka") and not any("bootstrap_servers" in source.values.get("kafka", {}) for source in others):
        values["kafka"] = {"bootstrap_servers": stack["kafka"]}
    if stack.get("redis") and "redis" not in said:
        host, _, port = stack["redis"].rpartition(":")
        values["redis"] = {"host": host, "port": port}
    if stack.get("database_url") and not said & {"database", "mysql"}:
        values["database"] = {"url": stack["database_url"]}
    return Source(str(path), values)
