"""Schedules in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from gateway.adapters.database.connection import Database
from gateway.adapters.database.inserting import insert_into
from gateway.adapters.database.tables import schedules
from gateway.ports.training import RunRequest, ScheduleRow, as_json


class SqlSchedules:
    """A gateway.ports.training.Schedules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[ScheduleRow]:
        """Every schedule, oldest first."""
        return await self._database.read(_all)

    async def find(self, schedule_id: str) -> ScheduleRow | None:
        """One schedule, or None."""
        return await self._database.read(_find, schedule_id)

    async def put(self, row: ScheduleRow) -> None:
        """Insert, or replace what has the same id."""
        await self._database.write(_put, row)

    async def delete(self, schedule_id: str) -> bool:
        """False when there was none."""
        return await self._database.write(_delete, schedule_id)

    async def due(self, at: int, limit: int) -> list[ScheduleRow]:
        """Enabled schedules whose time has come, the longest overdue first."""
        return await self._database.read(_due, at, limit)

    async def done(self, row: ScheduleRow, next_at: int | None, at: int, outcome: str) -> None:
        """Note what became of one time."""
        await self._database.write(_done, row, next_at, at, outcome)


def _all(connection: Connection) -> list[ScheduleRow]:
    query = select(schedules).order_by(schedules.c.created_at, schedules.c.id)
    return [_row(row) for row in connection.execute(query)]


def _find(connection: Connection, schedule_id: str) -> ScheduleRow | None:
    found = connection.execute(select(schedules).where(schedules.c.id == schedule_id)).one_or_none()
    return _row(found) if found else None


def _put(connection: Connection, row: ScheduleRow) -> None:
    values = {name: getattr(row, name) for name in ScheduleRow.__dataclass_fields__ if name != "request"}
    values["spec"] = as_json(row.request)
    replaced = {name: value for name, value in values.items() if name != "id"}
    statement = insert_into(connection, schedules).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=replaced))


def _delete(connection: Connection, schedule_id: str) -> bool:
    return connection.execute(delete(schedules).where(schedules.c.id == schedule_id)).rowcount == 1


def _due(connection: Connection, at: int, limit: int) -> list[ScheduleRow]:
    is_due = (schedules.c.enabled.is_(True), schedules.c.next_at <= at)
    query = select(schedules).where(*is_due).order_by(schedules.c.next_at).limit(limit)
    return [_row(row) for row in connection.execute(query)]


def _done(connection: Connection, row: ScheduleRow, next_at: int | None, at: int, outcome: str) -> None:
    same = (schedules.c.id == row.id, schedules.c.next_at == row.next_at)
    values = {"next_at": next_at, "last_at": at, "last_outcome": outcome[:2000]}
    connection.execute(update(schedules).where(*same).values(values))


def _row(row: Row[Any]) -> ScheduleRow:
    values = dict(row._mapping)
    return ScheduleRow(request=RunRequest(**values.pop("spec")), **values)
