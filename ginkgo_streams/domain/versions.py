"""Versions of a portfolio's config: who made each, when and why, and what of the one before it differed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

KEEP_VERSIONS = 20
"""Versions that a portfolio's value keeps; the database has them all."""

Path = list[str | int]
"""Keys of objects and places in lists, from the outside in."""


class Difference(msgspec.Struct, array_like=True):
    """One place in which two configs differ. before, after: the value there in a list of one, or an empty list for none."""

    path: Path
    before: list[Any]
    after: list[Any]

    @property
    def name(self) -> str:
        """The path as people write it: "strategy.params.short_period"."""
        return ".".join(map(str, self.path))


class Undo(msgspec.Struct, array_like=True):
    """What stood in one place of the config of the version before: in a list of one, or an empty list for nothing."""

    path: Path
    before: list[Any]


class Version(msgspec.Struct, array_like=True):
    """One version. ts: ms, of the command. by: who sent it. undo: what makes the config of the version before out of this one's."""

    version: int
    ts: int
    by: str
    reason: str
    undo: list[Undo] = []


def differences(before: Any, after: Any, path: Sequence[str | int] = ()) -> list[Difference]:
    """Where two configs differ, as deep as it can be told. Lists are compared place by place where both have one length, else whole."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        found: list[Difference] = []
        for key in dict.fromkeys([*before, *after]):
            at = [*path, key]
            if key not in before:
                found.append(Difference(at, [], [after[key]]))
            elif key not in after:
                found.append(Difference(at, [before[key]], []))
            else:
                found += differences(before[key], after[key], at)
        return found
    if _list(before) and _list(after) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [difference for i, (old, new) in pairs for difference in differences(old, new, [*path, i])]
    same = type(before) is type(after) and before == after  # 1, 1.0 and true are three values to a component
    return [] if same else [Difference(list(path), [before], [after])]


def undo(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Undo]:
    """What `restored` needs to make `before` out of `after` again."""
    return [Undo(each.path, each.before) for each in differences(before, after)]


def restored(config: Any, steps: Iterable[Undo]) -> Any:
    """The config before, made of the one after. The one given stays as it is."""
    for step in steps:
        config = _with(config, step.path, step.before)
    return config


def earlier(config: Mapping[str, Any], versions: Sequence[Version]) -> Iterator[tuple[Version, dict[str, Any]]]:
    """Each version that is known with its config, the newest first. config: that of the newest."""
    now: Any = dict(config)
    for version in reversed(versions):
        yield version, now
        now = restored(now, version.undo)


def _list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _with(value: Any, path: Sequence[str | int], content: list[Any]) -> Any:
    """A copy of the value with other content in one place (a list of one; empty: nothing)."""
    if not path:
        return content[0]
    key, rest = path[0], path[1:]
    copy: Any = dict(value) if isinstance(value, Mapping) else list(value)
    if rest:
        copy[key] = _with(copy[key], rest, content)
    elif content:
        copy[key] = content[0]
    else:
        del copy[key]
    return copy
