"""Leases in SQL. PostgreSQL's own clock decides, since its gateways run on several machines."""

from __future__ import annotations

from sqlalchemy import Connection, delete, or_, select, text, update

from gateway.adapters.database.connection import Database
from gateway.adapters.database.history import microseconds_now
from gateway.adapters.database.inserting import insert_into
from gateway.adapters.database.tables import leases


class SqlLeases:
    """A gateway.ports.leases.Leases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def acquire(self, name: str, holder: str, seconds: float) -> bool:
        """Take a free or expired lease, or renew one's own."""
        return await self._database.write(_acquire, name, holder, seconds)

    async def release(self, name: str, holder: str) -> None:
        """Give one's own lease back."""
        await self._database.write(_release, name, holder)


def _acquire(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Two at once: the second's UPDATE waits for the first's row and then finds it taken."""
    now = _now(connection)
    expires_at = now + int(seconds * 1_000_000)
    is_free = or_(leases.c.holder == holder, leases.c.expires_at < now)
    taking = update(leases).where(leases.c.name == name, is_free)
    if connection.execute(taking.values(holder=holder, expires_at=expires_at)).rowcount:
        return True
    creating = insert_into(connection, leases).values(name=name, holder=holder, expires_at=expires_at)
    connection.execute(creating.on_conflict_do_nothing())
    now_held_by = select(leases.c.holder).where(leases.c.name == name)
    return connection.execute(now_held_by).scalar_one_or_none() == holder


def _release(connection: Connection, name: str, holder: str) -> None:
    connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))


def _now(connection: Connection) -> int:
    if connection.dialect.name != "postgresql":
        return microseconds_now()  # a SQLite file has one machine
    asked = text("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)")
    return int(connection.execute(asked).scalar_one())
