"""The audit log in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, insert, select, tuple_

from gateway.adapters.database.connection import Database
from gateway.adapters.database.tables import audit
from gateway.ports.audit import AuditEntry
from gateway.ports.history import Cursor


class SqlAuditStore:
    """A gateway.ports.audit.AuditStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entry: AuditEntry) -> None:
        """Keep one entry."""
        await self._database.write(_append, entry)

    async def page(self, target: str | None, after: Cursor | None, limit: int) -> Sequence[AuditEntry]:
        """The newest entries behind the cursor."""
        return await self._database.read(_page, target, after, limit)


def _append(connection: Connection, entry: AuditEntry) -> None:
    connection.execute(insert(audit).values(asdict(entry)))


def _page(connection: Connection, target: str | None, after: Cursor | None, limit: int) -> list[AuditEntry]:
    query = select(audit).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit)
    if target is not None:
        query = query.where(audit.c.target == target)
    if after is not None:
        query = query.where(tuple_(audit.c.at, audit.c.id) < after)
    return [AuditEntry(**row._mapping) for row in connection.execute(query)]
