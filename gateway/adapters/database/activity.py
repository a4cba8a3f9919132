"""Activity in SQL: each process replaces its own rows, so that nothing is counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, delete, select

from gateway.adapters.database.connection import Database
from gateway.adapters.database.inserting import insert_into
from gateway.adapters.database.tables import activity
from gateway.ports.activity import ActivityRow, Resolution

_VALUES = ("answered", "refused", "failed", "latencies")


class SqlActivity:
    """A gateway.ports.activity.ActivityStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, rows: Sequence[ActivityRow]) -> None:
        """Replace the rows of the same resolution, time and source."""
        if rows:
            await self._database.write(_save, rows)

    async def read(self, resolution: Resolution, since: int, until: int) -> list[ActivityRow]:
        """All sources' rows of a time."""
        return await self._database.read(_read, resolution, since, until)

    async def forget(self, resolution: Resolution, before: int) -> None:
        """Delete what is older."""
        await self._database.write(_forget, resolution, before)


def _save(connection: Connection, rows: Sequence[ActivityRow]) -> None:
    statement = insert_into(connection, activity)
    keys = ("resolution", "at", "source")
    replaced = {name: statement.excluded[name] for name in _VALUES}
    values = [asdict(row) for row in rows]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=replaced), values)


def _read(connection: Connection, resolution: Resolution, since: int, until: int) -> list[ActivityRow]:
    columns = activity.c
    wanted = (columns.resolution == resolution, columns.at >= since, columns.at < until)
    query = select(activity).where(*wanted).order_by(columns.at)
    return [ActivityRow(**row._mapping) for row in connection.execute(query)]


def _forget(connection: Connection, resolution: Resolution, before: int) -> None:
    columns = activity.c
    connection.execute(delete(activity).where(columns.resolution == resolution, columns.at < before))
