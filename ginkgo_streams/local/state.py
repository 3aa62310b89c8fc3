"""The record of a running stack: `stack.json` in the local folder, by which other shells find it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from ginkgo_streams.local.process import Child

STATE_FILE = "stack.json"

Kind = Literal["kafka", "redis", "mariadb", "livecore", "node"]
Status = Literal["running", "waiting", "ended", "failed"]
"""waiting: ended, to be started again; ended: by itself with status 0, for good; failed: no start will help."""


class Member(msgspec.Struct):
    """One process of the stack. born: its start in seconds since 1970; restarts: after an end that was not asked for.

    ready: it has said, since it was last started, that it does its work.
    """

    name: str
    kind: Kind
    pid: int
    born: float
    log: str
    status: Status = "running"
    ready: bool = False
    restarts: int = 0
    exit_status: int | None = None

    def child(self) -> Child:
        """A handle on the process, from any shell."""
        return Child(self.name, self.pid, self.born, Path(self.log))


class StackState(msgspec.Struct):
    """A stack as its supervisor last wrote it. kafka, redis and database_url are empty until those servers answer."""

    supervisor_pid: int
    supervisor_born: float
    phase: Literal["starting", "up", "stopping"] = "starting"
    kafka: str = ""
    redis: str = ""
    database_url: str = ""
    members: list[Member] = []

    def supervisor(self, folder: Path) -> Child:
        """A handle on the process that supervises the stack."""
        return Child("the supervisor", self.supervisor_pid, self.supervisor_born, folder / "supervisor.log")

    def survivors(self, folder: Path) -> list[Child]:
        """What is still alive of supervisor and members; empty where the record is stale."""
        return [child for child in (self.supervisor(folder), *(member.child() for member in self.members)) if child.alive]


def read_state(folder: Path) -> StackState | None:
    """The record in `folder`; None where there is none or it is not one (a machine that lost power while it was first written)."""
    try:
        return msgspec.json.decode((folder / STATE_FILE).read_bytes(), type=StackState)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def write_state(folder: Path, state: StackState) -> None:
    """Replaces the record in one step. Its owner's only: the database's password is in it."""
    partial = folder / f"{STATE_FILE}.part"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(state), indent=2))
    partial.replace(folder / STATE_FILE)


def remove_state(folder: Path) -> None:
    """Takes the record away; nothing where there is none."""
    (folder / STATE_FILE).unlink(missing_ok=True)


def remove_stale_state(folder: Path) -> bool:
    """Takes the record away where nothing of it lives any more (the machine was switched off). Whether it did."""
    state = read_state(folder)
    if state is not None and state.survivors(folder):
        return False
    existed = (folder / STATE_FILE).exists()
    remove_state(folder)
    return existed
