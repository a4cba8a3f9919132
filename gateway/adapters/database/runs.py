"""Training runs in SQL: a partial unique index, not a check before, keeps a model's runs one at a time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from contract.records import Problem, RunState, TrainingSpec
from gateway.adapters.database.connection import Database
from gateway.adapters.database.tables import runs
from gateway.errors import DatabaseError, RunActiveError
from gateway.ports.history import Cursor
from gateway.ports.training import ACTIVE, RunEnd, RunRow

_ACTIVE = [state.value for state in ACTIVE]
_ATTEMPTS = 3
"""An active run may end between our INSERT and our look at it; then the INSERT is tried again."""


class SqlRuns:
    """A gateway.ports.training.Runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, row: RunRow) -> RunRow:
        """Keep a new run, or give the one that has its id. Raises RunActiveError."""
        for _ in range(_ATTEMPTS):
            if (known := await self.find(row.id)) is not None:
                return known
            try:
                await self._database.write(_insert, row)
            except IntegrityError:
                known = await self.find(row.id)
                if known is None and (active := await self._database.read(_active_of, row.model)):
                    raise RunActiveError(_is_active(active)) from None
            else:
                return row
        raise DatabaseError(f"the run {row.id} could not be recorded; try again")

    async def find(self, run_id: str) -> RunRow | None:
        """One run, or None."""
        return await self._database.read(_find, run_id)

    async def page(
        self, model: str | None, state: RunState | None, after: Cursor | None, limit: int
    ) -> list[RunRow]:
        """The newest runs behind the cursor."""
        return await self._database.read(_page, model, state, after, limit)

    async def active(self) -> list[RunRow]:
        """Every run that has not ended, oldest first."""
        return await self._database.read(_active)

    async def launched(self, run_id: str, reference: str) -> None:
        """Note the launcher's name for it."""
        await self._database.write(_update_active, run_id, _ACTIVE, {"reference": reference[:1000]})

    async def started(self, run_id: str, at: int) -> None:
        """queued → running."""
        values = {"state": RunState.RUNNING.value, "started_at": at}
        await self._database.write(_update_active, run_id, [RunState.QUEUED.value], values)

    async def ended(self, run_id: str, end: RunEnd) -> bool:
        """Make an active run final; False when it already was."""
        values = asdict(end) | {"state": end.state.value}
        values["error"] = end.error.model_dump() if end.error else None
        if end.started_at is None:
            del values["started_at"]
        return await self._database.write(_update_active, run_id, _ACTIVE, values)


def _insert(connection: Connection, row: RunRow) -> None:
    values = {name: getattr(row, name) for name in RunRow.__dataclass_fields__}
    values |= {"state": row.state.value, "spec": row.spec.model_dump(mode="json"), "error": None}
    connection.execute(insert(runs).values(values))


def _find(connection: Connection, run_id: str) -> RunRow | None:
    found = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    return _row(found) if found else None


def _active_of(connection: Connection, model: str) -> RunRow | None:
    query = select(runs).where(runs.c.model == model, runs.c.state.in_(_ACTIVE))
    found = connection.execute(query).one_or_none()
    return _row(found) if found else None


def _active(connection: Connection) -> list[RunRow]:
    query = select(runs).where(runs.c.state.in_(_ACTIVE)).order_by(runs.c.created_at, runs.c.id)
    return [_row(row) for row in connection.execute(query)]


def _page(
    connection: Connection, model: str | None, state: RunState | None, after: Cursor | None, limit: int
) -> list[RunRow]:
    query = select(runs)
    if model is not None:
        query = query.where(runs.c.model == model)
    if state is not None:
        query = query.where(runs.c.state == state.value)
    if after is not None:
        query = query.where(tuple_(runs.c.created_at, runs.c.id) < after)
    newest = query.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
    return [_row(row) for row in connection.execute(newest)]


def _update_active(connection: Connection, run_id: str, states: list[str], values: dict[str, Any]) -> bool:
    """A final run never changes again, whoever comes late."""
    changing = update(runs).where(runs.c.id == run_id, runs.c.state.in_(states))
    return connection.execute(changing.values(values)).rowcount == 1


def _row(row: Row[Any]) -> RunRow:
    values = dict(row._mapping)
    values["state"] = RunState(values["state"])
    values["spec"] = TrainingSpec.model_validate(values["spec"])
    values["error"] = Problem.model_validate(values["error"]) if values["error"] else None
    return RunRow(**values)


def _is_active(row: RunRow) -> str:
    return (
        f"the model {row.model!r} has an active training run, {row.id} ({row.state}); wait until it ends, "
        f"or cancel it: DELETE /v1/training-runs/{row.id}"
    )
