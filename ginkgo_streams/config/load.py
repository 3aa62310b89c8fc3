"""From options, environment and files to `Settings`: each source read whole, the earlier one wins, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from ginkgo_streams.config.errors import ConfigErrors, Problem
from ginkgo_streams.config.livecore import livecore_problems
from ginkgo_streams.config.problems import problems_of
from ginkgo_streams.config.schema import Settings, hostname
from ginkgo_streams.config.sources import Source, environment, files, local_stack, options, plain_environment
from ginkgo_streams.local.home import home

Role = Literal["execution_node", "livecore"]


def load_settings(overrides: Mapping[str, Any] | None = None, *, role: Role = "execution_node") -> Settings:
    """The settings of this process.

    overrides: command line options as nested mappings, e.g. {"node": {"id": "a"}}; None values count as absent.
    role: the process is called after it and its host where nothing gives it a node.id; of livecore, its feed is checked, too.
    Sources, first wins: overrides, GINKGO_A__B variables, the plain variables (NODE_ID, KAFKA_BOOTSTRAP_SERVERS, REDIS_HOST,
    REDIS_PORT, MYSQL_HOST), config.yaml, data_sources.yml, brokers.yml in the home folder, what `ginkgo up` has running.
    Raises ConfigErrors with everything that is wrong.
    """
    problems: list[Problem] = []
    sources = [options(overrides or {}), *environment(problems), plain_environment(), *files(home(), problems)]
    sources += [local_stack(home(), sources), Source("default", {"node": {"id": f"{role}_{hostname()}"}})]
    try:
        settings = Settings(**merged(sources))
    except ValidationError as error:
        raise ConfigErrors([*problems, *problems_of(error, sources)]) from None
    if role == "livecore":
        problems += livecore_problems(settings, sources)
    if problems:
        raise ConfigErrors(problems)
    return settings


def merged(sources: list[Source]) -> dict[str, Any]:
    """One nested dict of all sources, of which the first wins, field by field."""
    result: dict[str, Any] = {}
    for source in reversed(sources):
        result = _over(source.values, result)
    return result


def _over(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        result[key] = _over(value, below) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return result
