"""Another config for a portfolio that exists: checked, sent, and waited for until the new version is seen; its history; the way back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ginkgo_streams.commands import portfolio_command, send_commands_now
from ginkgo_streams.components import installed
from ginkgo_streams.config import Settings
from ginkgo_streams.domain.config import validate_config
from ginkgo_streams.domain.reload import RELOADABLE
from ginkgo_streams.messages import Snapshot
from ginkgo_streams.portfolios.control import POLL_S, WAIT_S, Refused, absent
from ginkgo_streams.portfolios.edit import named
from ginkgo_streams.portfolios.read import portfolio_row
from ginkgo_streams.storage.portfolios import PortfolioStore
from ginkgo_streams.storage.snapshots import newest_snapshot


class InvalidConfig(Exception):
    """A config that no portfolio can have; `errors` has everything that is wrong."""

    def __init__(self, errors: list[str]) -> None:
        self.errors = errors
        super().__init__("the new config is not valid, nothing was changed:\n" + "\n".join(f"  {error}" for error in errors))


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What was seen. done: the new version is there, running where it ran before. version: the last seen. text: for people."""

    done: bool
    status: str
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class VersionOf:
    """A version of a config. at: RFC 3339. changes: what differs from the version before, by path; values in a list of one, or in an
    empty one for nothing."""

    version: int
    at: str
    issued_by: str
    reason: str
    config: dict[str, Any]
    changes: list[tuple[str, list[Any], list[Any]]] = field(default_factory=list)


def update(
    settings: Settings,
    store: PortfolioStore,
    portfolio_id: str,
    change: Callable[[Mapping[str, Any]], dict[str, Any]],
    *,
    reason: str = "",
    issued_by: str = "ginkgo",
    wait_s: float = WAIT_S,
) -> Reloaded:
    """Gives the portfolio the config that `change` makes of its present one, and waits until that is seen.

    Raises UnknownPortfolio, InvalidConfig and Refused, after which nothing was sent; what `change` raises; StorageDown, NoBrokers,
    TopicMismatch, SendFailed.
    """
    row = portfolio_row(store, portfolio_id)
    config = change(row.config)
    if errors := validate_config(config, installed()):
        raise InvalidConfig(errors)
    if row.status not in RELOADABLE:
        raise Refused(f"portfolio {portfolio_id} cannot be updated: it is {row.status}, expected one of: {', '.join(RELOADABLE)}")
    if not named(row.config, config):
        return Reloaded(True, row.status, row.version, f"Portfolio {portfolio_id} has this config already (version {row.version})")
    version = row.version + 1
    params = {"version": version, "config": config, "reason": reason}
    command = portfolio_command("portfolio.reload", portfolio_id, params, issued_by=issued_by)
    send_commands_now(settings, [command])
    return _wait(settings, store, portfolio_id, version, command.command_id, row.status, wait_s)


def rollback(
    settings: Settings, store: PortfolioStore, portfolio_id: str, to: int, *, issued_by: str = "ginkgo", wait_s: float = WAIT_S
) -> Reloaded:
    """Gives the portfolio the config of an earlier version, as a new version. Raises what `update` raises."""
    portfolio_row(store, portfolio_id)
    known = {row.version: row.config for row in store.versions(portfolio_id)}
    if to not in known:
        raise Refused(f"portfolio {portfolio_id} has no version {to} on record; there are: {', '.join(map(str, known)) or 'none yet'}")
    return update(
        settings, store, portfolio_id, lambda _: known[to], reason=f"rollback to version {to}", issued_by=issued_by, wait_s=wait_s
    )


def history(store: PortfolioStore, portfolio_id: str) -> list[VersionOf]:
    """The versions of a portfolio's config, the first one first. Raises UnknownPortfolio, StorageDown."""
    row = portfolio_row(store, portfolio_id)
    found: list[VersionOf] = []
    for kept in store.versions(portfolio_id):
        changes = [(path, each.before, each.after) for path, each in named(found[-1].config, kept.config)] if found else []
        found.append(VersionOf(kept.version, _text(kept.at), kept.issued_by, kept.reason, kept.config, changes))
    return found or [VersionOf(row.version, _text(row.created_at), "", "created, not yet taken by a node", row.config)]


def _wait(
    settings: Settings, store: PortfolioStore, portfolio_id: str, version: int, command_id: str, before: str, wait_s: float
) -> Reloaded:
    if missing := absent(settings):
        return Reloaded(False, before, version - 1, f"{missing}: the command waits in Kafka and is carried out when it is up")
    deadline = time.monotonic() + wait_s
    while True:
        seen = newest_snapshot(store.engine, portfolio_id)
        if seen is not None and (result := _result(seen, version, command_id, before)) is not None:
            return result
        if time.monotonic() >= deadline:
            status, has = (before, version - 1) if seen is None else (seen.status, seen.version)
            text = f"Portfolio {portfolio_id} is {status} with version {has} {wait_s:g} s after the command, expected version {version}"
            return Reloaded(False, status, has, text)
        time.sleep(POLL_S)


def _result(seen: Snapshot, version: int, command_id: str, before: str) -> Reloaded | None:
    """What came of the command, None where nothing is seen of it yet."""
    who = f"Portfolio {seen.portfolio_id}"
    for refusal in seen.refusals:
        if refusal["command_id"] == command_id:
            return Reloaded(False, seen.status, seen.version, f"{who} refused the new version: {refusal['reason']}")
    if seen.version < version:
        return None
    if seen.status == "error" and before != "error":
        return Reloaded(False, seen.status, seen.version, f"{who} has version {version} and is in error: {seen.error}")
    if seen.status == "running":
        return Reloaded(True, seen.status, seen.version, f"{who} runs version {version} on {seen.node_id}{_waits_for(seen, version)}")
    return Reloaded(True, seen.status, seen.version, f"{who} has version {version} and is {seen.status}")


def _waits_for(seen: Snapshot, version: int) -> str:
    """What the kernel said it has to wait for, in the move that ended the reload."""
    moves = (move["reason"] for move in reversed(seen.transitions) if (move["from"], move["to"]) == ("reloading", "running"))
    said, _, waits = next(moves, "").partition("; ")
    return f"; {waits}" if waits and said == f"version {version}" else ""


def _text(moment: Any) -> str:
    return str(moment.isoformat(timespec="milliseconds")).replace("+00:00", "Z")
