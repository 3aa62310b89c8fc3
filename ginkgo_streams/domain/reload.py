"""A new config for a portfolio, between two events: checked whole before anything changes; what it holds and has open stays.

running → reloading → running in one step of the kernel, so that no event is applied under two configs. A portfolio that is created,
stopped or in error takes the new config and stays what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ginkgo_streams.domain.changes import Changes
from ginkgo_streams.domain.commands import Refused, by
from ginkgo_streams.domain.config import BadConfig, Kit, build
from ginkgo_streams.domain.events import Command, Note
from ginkgo_streams.domain.portfolio import Portfolio, move
from ginkgo_streams.domain.registry import Registry
from ginkgo_streams.domain.versions import KEEP_VERSIONS, Version, undo
from ginkgo_streams.domain.windows import Windows

COMMAND = "portfolio.reload"

RELOADABLE = ("running", "created", "stopped", "error")
"""States in which a portfolio takes another config. Not `stopping`: it ends what it has begun under the config that it has."""

NAMED = 5
"""Codes without enough history that are named; all of them are counted."""


def take(portfolio: Portfolio, before: Kit | BadConfig, registry: Registry, command: Command, changes: Changes) -> Kit:
    """Take the config of the command as the next version, and give its components; a running portfolio is `reloading` then.

    before: the components it has. params: `config` (the whole of it), `version` (the one that it becomes: the present one plus 1, so
    that of two who change the same version one is refused), `reason`. Raises Refused, after which nothing has changed.
    """
    params = command.params
    if portfolio.status not in RELOADABLE:
        raise Refused(f"it is {portfolio.status}; its config can be changed while it is one of {', '.join(RELOADABLE)}")
    version, config, due = params.get("version"), params.get("config"), portfolio.version + 1
    if isinstance(version, bool) or version != due:
        raise Refused(f"version is {version!r}, but it has version {portfolio.version} and the next is {due}; look at that and change it")
    if not isinstance(config, Mapping):
        raise Refused(f"config is {type(config).__name__}, not an object; a reload carries the whole config")
    try:
        kit = build(config, registry)
    except BadConfig as error:
        raise Refused(f"the config is wrong: {error}") from None
    _remember(portfolio, dict(config), before, kit, command)
    if portfolio.status == "running":
        move(portfolio, "reloading", command.ts, f"version {due}, {by(command)}{_why(command)}", changes)
    changes.mark(portfolio.portfolio_id)
    return kit


def done(windows: Windows, portfolio: Portfolio, kit: Kit, command: Command, changes: Changes) -> None:
    """The new components are in place: a portfolio that was reloading runs, and it is said which codes it has to wait for."""
    missing = missing_history(windows, kit)
    text = f"version {portfolio.version}" + (f"; {missing}" if missing else "")
    if portfolio.status == "reloading":
        move(portfolio, "running", command.ts, text, changes)
    else:
        note = f"Portfolio {portfolio.portfolio_id} has {text}, and is {portfolio.status}"
        changes.notes.append(Note(portfolio_id=portfolio.portfolio_id, text=note))


def missing_history(windows: Windows, kit: Kit) -> str:
    """Which watched codes have fewer closes than the strategy needs: no signal comes for these until they have. "" for none."""
    if kit.history <= 1:
        return ""
    codes = sorted(windows.codes if kit.codes is None else kit.codes)
    held = {code: windows.held(code, kit.interval) for code in codes}
    short = [code for code in codes if held[code] < kit.history]
    if not short:
        return ""
    named = ", ".join(f"{code} has {held[code]}" for code in short[:NAMED])
    more = f", and {len(short) - NAMED} more" if len(short) > NAMED else ""
    return f"{len(short)} of {len(codes)} codes wait for history, {kit.history} closes are needed: {named}{more}"


def _remember(portfolio: Portfolio, config: dict[str, Any], before: Kit | BadConfig, after: Kit, command: Command) -> None:
    """The new config and its version, and what goes over of the components' own states."""
    if not portfolio.versions:  # a value from before versions were kept
        portfolio.versions.append(Version(portfolio.version, portfolio.created_at, "", ""))
    portfolio.version += 1
    reason = str(command.params.get("reason") or "")
    portfolio.versions.append(Version(portfolio.version, command.ts, command.issued_by, reason, undo(portfolio.config, config)))
    del portfolio.versions[:-KEEP_VERSIONS]
    if portfolio.config.get("strategy") != config.get("strategy"):
        portfolio.strategy_state = {}  # of other parameters: it starts from the price history, as a new one does
    if portfolio.config.get("selector") != config.get("selector"):
        portfolio.selected, portfolio.selected_day = [], 0  # the new one chooses with the next update
    if isinstance(before, Kit):
        keys = _same_managers(_managers(before, portfolio.config), _managers(after, config))
        portfolio.risk_state = {keys[key]: memos for key, memos in portfolio.risk_state.items() if key in keys}
    else:
        portfolio.risk_state = {}  # whose memos they were is not known any more
    portfolio.config = config
    portfolio.updated_at = max(portfolio.updated_at, command.ts)


Manager = tuple[str, str, Any]
"""Of a risk manager: the key of its memos, its name, and its part of the config."""


def _managers(kit: Kit, config: Mapping[str, Any]) -> list[Manager]:
    return [(key, name, entry) for (key, name, _), entry in zip(kit.risks, config.get("risk_managements") or [], strict=True)]


def _same_managers(before: Sequence[Manager], after: Sequence[Manager]) -> dict[str, str]:
    """Old keys of memos to new ones. What a risk manager knows of a position (a peak, that a part was sold) outlives other parameters
    and another place in the chain: first those go together that are alike in all, then those of one name, in order."""
    found: dict[str, str] = {}
    for place in (2, 1):
        for one in before:
            same = next((each for each in after if each[place] == one[place] and each[0] not in found.values()), None)
            if same is not None and one[0] not in found:
                found[one[0]] = same[0]
    return found


def _why(command: Command) -> str:
    reason = command.params.get("reason")
    return f": {reason}" if reason else ""
