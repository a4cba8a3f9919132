"""Two kinds of INSERT: one that knows ON CONFLICT, and one of many rows by the driver alone.

SQLAlchemy has the first for each dialect; both spell it alike. PostgreSQL's is imported where that is the
database: it brings every driver's module, 2 MB of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert

_BY_PLACE = {"pyformat": "format"}
"""Styles of parameters that go by names, and the same driver's that goes by places."""


def insert_into(connection: Connection, table: Table) -> Any:
    """The insert of the connection's dialect, with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def insert_rows(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Any]) -> None:
    """Insert tuples of the named columns' values, each as the driver takes it (JSON as text).

    `Connection.execute` would take a dictionary for each row and make a tuple of it again, which takes as
    long as SQLite itself does for the row.
    """
    dialect: Any = connection.dialect
    by_place = type(dialect)(paramstyle=_BY_PLACE.get(dialect.paramstyle, dialect.paramstyle))
    statement = insert(table).compile(dialect=by_place, column_keys=list(names))
    connection.exec_driver_sql(str(statement), list(rows))
