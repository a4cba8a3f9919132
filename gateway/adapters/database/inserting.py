"""The INSERT that knows ON CONFLICT. SQLAlchemy has one for each dialect; both spell it alike.

PostgreSQL's is imported where that is the database: it brings every driver's module, 2 MB of them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table


def insert_into(connection: Connection, table: Table) -> Any:
    """The insert of the connection's dialect, with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
