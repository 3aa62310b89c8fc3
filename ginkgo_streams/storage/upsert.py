"""Inserts that meet a row with the same key: one statement, so that two writers cannot pass each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, func, or_
from sqlalchemy.dialects import mysql, sqlite

Row = Mapping[str, Any]


def insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Inserts the rows whose primary key is not there yet and leaves the others as they are."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(sqlite.insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key)), list(rows))
        return
    key = next(iter(table.primary_key))
    # Not INSERT IGNORE: that would swallow a value that is too long or a missing foreign key, too.
    connection.execute(mysql.insert(table).on_duplicate_key_update({key.name: key}), list(rows))


def insert_or_renew(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Inserts the rows, or overwrites those that are older by (epoch, seq). The table has these two columns."""
    if not rows:
        return
    others = [column.name for column in table.columns if not column.primary_key and column.name not in ("epoch", "seq")]
    if connection.dialect.name == "sqlite":
        statement = sqlite.insert(table)
        new = statement.excluded
        newer = or_(new.epoch > table.c.epoch, and_(new.epoch == table.c.epoch, new.seq > table.c.seq))
        values = {name: new[name] for name in [*others, "epoch", "seq"]}
        connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=values, where=newer), list(rows))
        return
    statement_my = mysql.insert(table)
    inserted = statement_my.inserted
    newer = or_(inserted.epoch > table.c.epoch, and_(inserted.epoch == table.c.epoch, inserted.seq > table.c.seq))
    # MySQL assigns from left to right and later terms see earlier assignments: what `newer` reads is assigned last.
    ordered = [(name, func.if_(newer, inserted[name], table.c[name])) for name in [*others, "seq"]]
    ordered.append(("epoch", func.greatest(table.c.epoch, inserted.epoch)))
    connection.execute(statement_my.on_duplicate_key_update(ordered), list(rows))
