"""Changes to a config as people write them: a path such as "strategy.params.short_period", and what is to stand there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ginkgo_streams.domain.versions import Difference, differences


class BadPath(ValueError):
    """A path that leads nowhere in this config; the text says where it ends."""


def edited(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the config with the changes, a path to a value each. Objects that are missing on the way are made.

    In a list of components a place is named by its number from 0, or by the name or id of the one there:
    "risk_managements.LossLimitRisk.params.loss_limit". Raises BadPath.
    """
    made: Any = dict(config)
    for path, value in changes.items():
        keys = path.split(".")
        if not all(keys):
            raise BadPath(f"{path!r} is no path; write it as strategy.params.short_period")
        made = _with(made, keys, value, path)
    return dict(made)


def named(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Difference]]:
    """Where two configs differ, with the path as `edited` takes it: components of lists by their names."""
    return [(_path(each, after if each.after else before), each) for each in differences(before, after)]


def _with(value: Any, keys: Sequence[str], content: Any, path: str) -> Any:
    if not keys:
        return content
    key, rest = keys[0], keys[1:]
    if value is None or isinstance(value, Mapping):
        held = dict(value or {})
        return held | {key: _with(held.get(key), rest, content, path)}
    if isinstance(value, (list, tuple)):
        place = _place(value, key, path)
        return [_with(one, rest, content, path) if i == place else one for i, one in enumerate(value)]
    raise BadPath(f"{path}: there is {value!r} where {key!r} is looked for; only objects and lists of components hold something")


def _place(components: Sequence[Any], key: str, path: str) -> int:
    found = [i for i, one in enumerate(components) if key in (str(i), *_names(one))]
    if len(found) != 1:
        known = ", ".join(next(iter(_names(one)), str(i)) for i, one in enumerate(components)) or "nothing"
        raise BadPath(f"{path}: {key!r} is {'more than one' if found else 'none'} of {known}; name it by its number from 0, or uniquely")
    return found[0]


def _names(component: Any) -> list[str]:
    """The name and ids of a component's part of a config."""
    if not isinstance(component, Mapping):
        return []
    return [str(component[key]) for key in ("name", "risk_id") if component.get(key)]


def _path(difference: Difference, config: Any) -> str:
    keys: list[str] = []
    for key in difference.path:
        if isinstance(key, int):
            same = [one for one in config if _names(one)[:1] == _names(config[key])[:1]]
            keys.append(_names(config[key])[0] if _names(config[key]) and len(same) == 1 else str(key))
        else:
            keys.append(key)
        config = config[key] if isinstance(key, int) or key in config else None
    return ".".join(keys)
