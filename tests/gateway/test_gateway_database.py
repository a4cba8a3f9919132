"""The way to the database: what a reader sees while others write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select

from gateway.adapters.database.connection import Database
from gateway.adapters.database.migration import migrate
from gateway.adapters.database.tables import pictures
from gateway.settings import DatabaseSettings


def count(connection: Connection) -> int:
    """Rows of a table."""
    return connection.execute(select(func.count()).select_from(pictures)).scalar_one()


def add(connection: Connection) -> None:
    """One row more."""
    connection.execute(insert(pictures).values(sha256="0" * 64, extension="jpg", bytes=1, stored_at=1))


async def test_all_that_is_read_is_of_one_moment(database: dict[str, Any], tmp_path: Path) -> None:
    """What another writes between two statements of a reader, only the next reader sees."""
    settings = DatabaseSettings(**{"url": f"sqlite:///{tmp_path}/gateway.sqlite3"} | database)
    migrate(settings)
    ours = Database(settings)

    def work(connection: Connection) -> tuple[int, int]:
        before = count(connection)
        with ours.engine.begin() as other:
            add(other)
        return before, count(connection)

    assert await ours.read(work) == (0, 0)
    assert await ours.read(count) == 1
    await ours.aclose()
