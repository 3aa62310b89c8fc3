"""What is wrong with the settings: all of it at once, each with where it stands, and never a secret's value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong setting.

    source: a file, "environment variable NAME" or "command line". field: the path, as in "kafka.slots" ("" for a file as a
    whole). value: as given, None where it is absent, a secret, or may hold one. expected: what would be right.
    """

    source: str
    field: str
    value: str | None
    expected: str

    def __str__(self) -> str:
        where = f"{self.source}: {self.field}" if self.field else self.source
        return f"{where}{'' if self.value is None else f' is {self.value}'}: {self.expected}"


class ConfigErrors(Exception):
    """Settings that cannot be used. `problems` has all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = "1 error" if len(self.problems) == 1 else f"{len(self.problems)} errors"
        super().__init__(f"{count} in the configuration:\n" + "\n".join(f"  {problem}" for problem in self.problems))
