"""Training runs in SQL: a partial unique index, not a check before, keeps a model's runs one at a time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, not_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from contract.training import Problem, RunState, TrainingSpec
from gateway.adapters.database.connection import Database
from gateway.adapters.database.tables import predictions, runs
from gateway.errors import DatabaseError, RunActiveError
from gateway.ports.history import Cursor
from gateway.ports.training import ACTIVE, RecentRuns, RunEnd, RunLimits, RunRow
from gateway.training.budget import DAY, check

_ACTIVE = [state.value for state in ACTIVE]
_MOST_RECENT = 1000
_ATTEMPTS = 3
"""An active run may end between our INSERT and our look at it; then the INSERT is tried again."""


class SqlRuns:
    """A gateway.ports.training.Runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, row: RunRow, limits: RunLimits = RunLimits()) -> RunRow:  # noqa: B008
        """Keep a new run, or give the one that has its id. Raises RunActiveError and what `check` does."""
        for _ in range(_ATTEMPTS):
            if (known := await self.find(row.id)) is not None:
                return known
            try:
                await self._database.write(_insert, row, limits)
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

    async def recent(self, model: str, since: int) -> RecentRuns:
        """Runs of a model that began at `since` or later, and the latest one before."""
        return await self._database.read(_recent, model, since)

    async def corrections(self, model: str, since: int) -> int:
        """Answers that people have corrected since then."""
        return await self._database.read(_corrections, model, since)

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


def _insert(connection: Connection, row: RunRow, limits: RunLimits) -> None:
    """The row first: an active run is the better reason to refuse than a limit."""
    values = {name: getattr(row, name) for name in RunRow.__dataclass_fields__}
    values |= {"state": row.state.value, "spec": row.spec.model_dump(mode="json"), "error": None}
    connection.execute(insert(runs).values(values))
    earlier = _recent(connection, row.model, row.created_at - DAY, without=row.id)
    check(earlier, limits, row.created_at)


def _recent(connection: Connection, model: str, since: int, without: str = "") -> RecentRuns:
    columns = runs.c
    never_started = and_(columns.state == RunState.FAILED.value, columns.started_at.is_(None))
    began = select(columns.created_at, columns.finished_at).where(
        columns.model == model, columns.id != without, not_(never_started)
    )
    newest = began.order_by(columns.created_at.desc(), columns.id.desc())
    found = connection.execute(newest.where(columns.created_at >= since).limit(_MOST_RECENT)).all()
    before = connection.execute(newest.where(columns.created_at < since).limit(1)).all()
    return RecentRuns([(row.created_at, row.finished_at) for row in (*found, *before)])


def _corrections(connection: Connection, model: str, since: int) -> int:
    columns = predictions.c
    is_correction = (columns.feedback.is_not(None), columns.feedback != columns.label)
    query = select(func.count()).where(columns.model == model, *is_correction, columns.feedback_at >= since)
    return int(connection.execute(query).scalar_one())


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
