"""Trials of canaries in SQL: evidence is folded in and deleted in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update
from sqlalchemy.exc import IntegrityError

from gateway.adapters.database.connection import Database
from gateway.adapters.database.inserting import insert_into
from gateway.adapters.database.tables import canary_evidence, canary_trials
from gateway.errors import DatabaseError
from gateway.ports.canary import Arms, Evidence, Outcome, Table, Trial

Fold = Callable[[Trial, Sequence[Evidence]], Trial]

_AT_ONCE = 500
"""Rows folded in one transaction; a gateway that was away for long is caught up with over several."""


class SqlTrials:
    """A gateway.ports.canary.Trials."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, rows: Sequence[Evidence]) -> None:
        """Keep evidence."""
        if rows:
            await self._database.write(_save, rows)

    async def running(self, model: str) -> Trial | None:
        """The trial that has not ended."""
        return await self._database.read(_running, model)

    async def begin(self, trial: Trial) -> Trial:
        """Keep a new trial, or give the model's running one."""
        try:
            await self._database.write(_begin, trial)
        except IntegrityError:
            running = await self.running(trial.arms.model)
            if running is None:
                raise DatabaseError("a trial ended at this very moment; the next step begins one") from None
            return running
        return trial

    async def take(self, trial_id: str, fold: Fold) -> Trial | None:
        """Fold the evidence that waits into the trial, and delete it."""
        return await self._database.write(_take, trial_id, fold)

    async def end(self, trial_id: str, outcome: Outcome, at: int) -> bool:
        """Make a running trial final."""
        return await self._database.write(_end, trial_id, outcome, at)

    async def page(self, model: str, limit: int) -> list[Trial]:
        """The newest trials."""
        return await self._database.read(_page, model, limit)

    async def tried(self, model: str, canary: int) -> bool:
        """Whether this version has ever been on trial."""
        return await self._database.read(_tried, model, canary)

    async def forget(self, before: int) -> None:
        """Delete evidence that nobody took."""
        await self._database.write(_forget, before)


def _save(connection: Connection, rows: Sequence[Evidence]) -> None:
    values = [
        {
            "id": row.id,
            "at": row.at,
            "model": row.arms.model,
            "stable": row.arms.stable,
            "canary": row.arms.canary,
            "blocks": {signal: [table.counts for table in tables] for signal, tables in row.blocks.items()},
        }
        for row in rows
    ]
    connection.execute(insert_into(connection, canary_evidence).on_conflict_do_nothing(), values)


def _running(connection: Connection, model: str) -> Trial | None:
    columns = canary_trials.c
    query = select(canary_trials).where(columns.model == model, columns.outcome == "running")
    found = connection.execute(query).one_or_none()
    return _trial(found) if found else None


def _begin(connection: Connection, trial: Trial) -> None:
    """What is left of an earlier trial of the same versions must not count for this one."""
    arms = trial.arms
    connection.execute(delete(canary_evidence).where(canary_evidence.c.model == arms.model))
    connection.execute(
        canary_trials.insert().values(
            id=trial.id,
            model=arms.model,
            stable=arms.stable,
            canary=arms.canary,
            began_at=trial.began_at,
            outcome=trial.outcome,
            watched_seconds=trial.watched_seconds,
        )
    )


def _take(connection: Connection, trial_id: str, fold: Fold) -> Trial | None:
    """The row of the trial is locked first, so that a second taker waits and then finds nothing left."""
    columns = canary_trials.c
    wanted = (columns.id == trial_id, columns.outcome == "running")
    found = connection.execute(select(canary_trials).where(*wanted).with_for_update()).one_or_none()
    if found is None:
        return None
    trial = _trial(found)
    rows = _evidence_of(connection, trial.arms)
    after = fold(trial, rows)
    connection.execute(
        update(canary_trials)
        .where(columns.id == trial_id)
        .values(watched_seconds=after.watched_seconds, state=after.state, decision=after.decision)
    )
    gone = canary_evidence.c.id.in_([row.id for row in rows])
    connection.execute(delete(canary_evidence).where(gone))
    return after


def _evidence_of(connection: Connection, arms: Arms) -> list[Evidence]:
    columns = canary_evidence.c
    same = (columns.model == arms.model, columns.stable == arms.stable, columns.canary == arms.canary)
    query = select(canary_evidence).where(*same).order_by(columns.at, columns.id).limit(_AT_ONCE)
    return [
        Evidence(
            row.id,
            row.at,
            arms,
            {signal: [Table(*counts) for counts in tables] for signal, tables in row.blocks.items()},
        )
        for row in connection.execute(query)
    ]


def _end(connection: Connection, trial_id: str, outcome: Outcome, at: int) -> bool:
    columns = canary_trials.c
    ending = update(canary_trials).where(columns.id == trial_id, columns.outcome == "running")
    return connection.execute(ending.values(outcome=outcome, ended_at=at)).rowcount == 1


def _page(connection: Connection, model: str, limit: int) -> list[Trial]:
    columns = canary_trials.c
    newest = (
        select(canary_trials).where(columns.model == model).order_by(columns.began_at.desc()).limit(limit)
    )
    return [_trial(row) for row in connection.execute(newest)]


def _tried(connection: Connection, model: str, canary: int) -> bool:
    columns = canary_trials.c
    query = select(columns.id).where(columns.model == model, columns.canary == canary).limit(1)
    return connection.execute(query).one_or_none() is not None


def _forget(connection: Connection, before: int) -> None:
    connection.execute(delete(canary_evidence).where(canary_evidence.c.at < before))


def _trial(row: Row[Any]) -> Trial:
    return Trial(
        id=row.id,
        arms=Arms(row.model, row.stable, row.canary),
        began_at=row.began_at,
        outcome=row.outcome,
        ended_at=row.ended_at,
        watched_seconds=row.watched_seconds,
        state=row.state,
        decision=row.decision,
    )
