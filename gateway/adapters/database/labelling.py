"""The labelling queue in SQL: each measure has a partial index, so that only the top is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update

from gateway.adapters.database.connection import Database
from gateway.adapters.database.history import microseconds_now, row_of, shown_columns
from gateway.adapters.database.tables import predictions
from gateway.ports.history import PredictionRow
from gateway.ports.labelling import Measure, Waiting


class SqlLabelling:
    """A gateway.ports.labelling.LabellingStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def most_uncertain(self, waiting: Waiting, by: Measure, limit: int) -> Sequence[PredictionRow]:
        """The most uncertain first."""
        return await self._database.read(_most_uncertain, waiting, by, limit)

    async def count(self, waiting: Waiting, limit: int) -> int:
        """How many wait, `limit` at most."""
        return await self._database.read(_count, waiting, limit)

    async def corrections(self, model: str, since: int) -> int:
        """Feedback given since that moment."""
        return await self._database.read(_corrections, model, since)

    async def put_aside(self, prediction_id: str, caller: str | None) -> bool:
        """Put aside, or back."""
        return await self._database.write(_put_aside, prediction_id, caller)


def _conditions(waiting: Waiting) -> list[Any]:
    columns = predictions.c
    return [
        columns.model == waiting.model,
        columns.feedback.is_(None),
        columns.skipped_at.is_(None),
        columns.picture.is_not(None),
        columns.at >= waiting.since,
    ]


def _most_uncertain(connection: Connection, waiting: Waiting, by: Measure, limit: int) -> list[PredictionRow]:
    columns = predictions.c
    order = columns.entropy.desc() if by == "entropy" else columns.margin.asc()
    query = select(*shown_columns()).where(*_conditions(waiting)).order_by(order).limit(limit)
    return [row_of(row) for row in connection.execute(query)]


def _count(connection: Connection, waiting: Waiting, limit: int) -> int:
    some = select(predictions.c.id).where(*_conditions(waiting)).limit(limit).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def _corrections(connection: Connection, model: str, since: int) -> int:
    columns = predictions.c
    wanted = (columns.model == model, columns.feedback.is_not(None), columns.feedback_at >= since)
    return connection.execute(select(func.count()).where(*wanted)).scalar_one()


def _put_aside(connection: Connection, prediction_id: str, caller: str | None) -> bool:
    at = None if caller is None else microseconds_now()
    change = update(predictions).where(predictions.c.id == prediction_id)
    return bool(connection.execute(change.values(skipped_at=at, skipped_by=caller)).rowcount)
