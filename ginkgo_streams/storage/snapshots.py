"""Snapshots into the database: the newest of a portfolio stays, whatever order and however often they arrive."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import msgspec
from sqlalchemy import BindParameter, Connection, Engine, Table, and_, bindparam, delete, desc, or_, select, update

from ginkgo_streams.domain.versions import Undo, restored
from ginkgo_streams.messages import Snapshot
from ginkgo_streams.storage.database import attempt
from ginkgo_streams.storage.models import Portfolio, PortfolioSnapshot, PortfolioTransition, PortfolioVersion, User, now
from ginkgo_streams.storage.upsert import insert_missing, insert_or_renew

log = logging.getLogger(__name__)

_TRANSITIONS = UUID("6f1c9d0e-5a3b-4a63-9c0f-3c6f4f0f7a11")
"""Name space of transition ids."""

_USERS, _PORTFOLIOS, _SNAPSHOTS, _MOVES, _VERSIONS = (
    table
    for table in (each.__table__ for each in (User, Portfolio, PortfolioSnapshot, PortfolioTransition, PortfolioVersion))
    if isinstance(table, Table)
)


class SnapshotStore:
    """Writes snapshots. Blocking: call it from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(self, snapshots: Sequence[Snapshot]) -> None:
        """All of them in one transaction. Saving again, or an older one later, changes nothing. Raises StorageDown.

        A portfolio without a row (made by a command that came past us) gets one; of a deleted portfolio the row goes, and its
        snapshots and transitions stay.
        """
        fit = [snapshot for snapshot in snapshots if _fits(snapshot)]
        if fit:
            attempt(self._engine, f"saving {len(fit)} snapshots", lambda: self._save(fit))

    def _save(self, snapshots: Sequence[Snapshot]) -> None:
        newest = _newest(snapshots, lambda snapshot: (snapshot.portfolio_id,))
        daily = _newest(snapshots, lambda snapshot: (snapshot.portfolio_id, _moment(snapshot.updated_at).date().isoformat()))
        with self._engine.begin() as connection:
            insert_or_renew(connection, _SNAPSHOTS, [_snapshot_row(snapshot) for snapshot in daily])
            insert_missing(connection, _MOVES, list({row["transition_id"]: row for row in _transition_rows(snapshots)}.values()))
            insert_missing(connection, _VERSIONS, [row for snapshot in newest for row in _version_rows(snapshot)])
            _add_rows(connection, newest)
            _renew_rows(connection, newest)
            gone = [snapshot.portfolio_id for snapshot in newest if snapshot.status == "deleted"]
            if gone:
                connection.execute(delete(Portfolio).where(Portfolio.uuid.in_(gone)))


def newest_snapshot(engine: Engine, portfolio_id: str) -> Snapshot | None:
    """The newest snapshot of a portfolio, None where it never had one. Raises StorageDown."""

    def read() -> Snapshot | None:
        with engine.connect() as connection:
            return _read_newest(connection, portfolio_id)

    return attempt(engine, f"reading the state of portfolio {portfolio_id}", read)


def newest_snapshots(engine: Engine) -> dict[str, Snapshot]:
    """The newest snapshot of every portfolio that has a row, by its id. Raises StorageDown."""
    row, kept = Portfolio, PortfolioSnapshot
    statement = select(kept.state).join(row, and_(row.uuid == kept.portfolio_id, row.epoch == kept.epoch, row.seq == kept.seq))

    def read() -> dict[str, Snapshot]:
        with engine.connect() as connection:
            states = [msgspec.convert(state, Snapshot) for state in connection.scalars(statement)]
        return {state.portfolio_id: state for state in states}

    return attempt(engine, "reading the states of the portfolios", read)


def _read_newest(connection: Connection, portfolio_id: str) -> Snapshot | None:
    state = connection.scalar(
        select(PortfolioSnapshot.state)
        .where(PortfolioSnapshot.portfolio_id == portfolio_id)
        .order_by(desc(PortfolioSnapshot.epoch), desc(PortfolioSnapshot.seq))
        .limit(1)
    )
    return None if state is None else msgspec.convert(state, Snapshot)


def _fits(snapshot: Snapshot) -> bool:
    """An id of a stranger's that is no UUID may be too long for the column; all others must not wait behind it."""
    if len(snapshot.portfolio_id) <= 36:
        return True
    log.error("snapshot of portfolio %s is not kept: its id has more than 36 characters", snapshot.portfolio_id)
    return False


def _newest(snapshots: Iterable[Snapshot], key: Any) -> list[Snapshot]:
    """The newest for each key, in order of the keys: two writers that lock rows in the same order do not deadlock."""
    found: dict[tuple[str, ...], Snapshot] = {}
    for snapshot in snapshots:
        held = found.get(key(snapshot))
        if held is None or (snapshot.epoch, snapshot.seq) > (held.epoch, held.seq):
            found[key(snapshot)] = snapshot
    return [found[each] for each in sorted(found)]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _snapshot_row(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "portfolio_id": snapshot.portfolio_id, "day": _moment(snapshot.updated_at).date(), "epoch": snapshot.epoch, "seq": snapshot.seq,
        "taken_at": _moment(snapshot.updated_at), "state": msgspec.to_builtins(snapshot),
    }  # fmt: skip


def _transition_rows(snapshots: Iterable[Snapshot]) -> Iterable[dict[str, Any]]:
    for snapshot in snapshots:
        for move in snapshot.transitions:
            yield _transition_row(snapshot, move)


def _transition_row(snapshot: Snapshot, move: Mapping[str, Any]) -> dict[str, Any]:
    """The id is of what happened alone: snapshots of a later owner carry the same transition."""
    seq = move.get("seq", 0)
    what = [seq] if seq else [move["timestamp"], move["from"], move["to"], move.get("reason", "")]
    content = json.dumps([snapshot.portfolio_id, *what])
    return {
        "transition_id": str(uuid5(_TRANSITIONS, content)), "portfolio_id": snapshot.portfolio_id, "seq": seq,
        "at": _moment(move["timestamp"]),
        "from_status": move["from"], "to_status": move["to"], "reason": move.get("reason", ""),
        "node_id": move.get("node_id") or snapshot.node_id,
    }  # fmt: skip


def _version_rows(snapshot: Snapshot) -> Iterable[dict[str, Any]]:
    """The versions that a snapshot knows, each with its config: the newest is the snapshot's, those before follow from it."""
    config: Any = snapshot.config
    for version in reversed(snapshot.versions):
        yield {
            "portfolio_id": snapshot.portfolio_id, "version": version.version, "at": _moment(version.timestamp),
            "issued_by": version.issued_by[:255], "reason": version.reason, "config": config,
        }  # fmt: skip
        config = restored(config, [Undo(path, before) for path, before in version.undo])


def _add_rows(connection: Connection, newest: Sequence[Snapshot]) -> None:
    known = set(connection.scalars(select(Portfolio.uuid).where(Portfolio.uuid.in_([s.portfolio_id for s in newest]))))
    for snapshot in newest:
        if snapshot.portfolio_id in known:
            continue
        stored = _read_newest(connection, snapshot.portfolio_id)
        if stored is None or stored.status == "deleted":
            continue  # an old snapshot that comes again must not bring a deleted portfolio back
        insert_missing(connection, _USERS, [user_row(snapshot.user_id)])
        taken = connection.scalar(
            select(Portfolio.uuid).where(Portfolio.user_id == snapshot.user_id, Portfolio.name == snapshot.name[:255])
        )
        name = f"{snapshot.name[:240]} ({snapshot.portfolio_id[:8]})" if taken else snapshot.name[:255]
        row = {
            "uuid": snapshot.portfolio_id, "name": name, "user_id": snapshot.user_id, "initial_cash": _decimal(snapshot.initial_cash),
            "current_cash": _decimal(snapshot.cash), "status": snapshot.status, "config": snapshot.config, "version": snapshot.version,
            "autostart": False, "epoch": -1, "seq": -1, "created_at": _moment(snapshot.created_at), "updated_at": now(),
        }  # fmt: skip
        insert_missing(connection, _PORTFOLIOS, [row])


def _renew_rows(connection: Connection, newest: Sequence[Snapshot]) -> None:
    table = _PORTFOLIOS.c
    epoch: BindParameter[int] = bindparam("new_epoch")
    seq: BindParameter[int] = bindparam("new_seq")
    statement = (
        update(_PORTFOLIOS)
        .where(table.uuid == bindparam("id"), or_(table.epoch < epoch, and_(table.epoch == epoch, table.seq < seq)))
        .values(
            current_cash=bindparam("new_cash"),
            status=bindparam("new_status"),
            config=bindparam("new_config", type_=table.config.type),
            version=bindparam("new_version"),
            epoch=epoch,
            seq=seq,
            updated_at=bindparam("new_time"),
        )
    )
    time = now()
    connection.execute(
        statement,
        [
            {
                "id": s.portfolio_id, "new_cash": _decimal(s.cash), "new_status": s.status, "new_epoch": s.epoch, "new_seq": s.seq,
                "new_config": s.config, "new_version": s.version, "new_time": time,
            }
            for s in newest
        ],
    )  # fmt: skip


def user_row(user_id: str) -> dict[str, Any]:
    """The row of a user of whom only the id is known."""
    return {"uuid": user_id, "name": user_id, "role": "trader", "created_at": now()}


def _decimal(value: float) -> Decimal:
    return Decimal(str(value))
