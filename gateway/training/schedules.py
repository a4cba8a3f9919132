"""Runs by the clock: cron expressions in UTC, through the very service that people's runs go through.

A time is identified by its schedule and its moment, and that is the run's key: a gateway that dies
between the start and the note of it, and its successor, start one run together. Times that passed while
nothing ran are one time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from cronsim import CronSim, CronSimError

from contract.layout import RESERVED_MODEL_NAMES
from gateway.errors import (
    ConflictError,
    DatabaseError,
    GatewayError,
    InvalidParameterError,
    RunActiveError,
    UnknownNameError,
)
from gateway.ports.training import RunRequest, ScheduleRow, Schedules
from gateway.training.runs import TrainingService, microseconds_now

log = logging.getLogger(__name__)
MAX_SCHEDULES = 200
DUE_A_STEP = 20
FIELDS = 5


class ScheduleService:
    """Keeps schedules, and starts what is due. Methods raise DatabaseError."""

    def __init__(self, schedules: Schedules, training: TrainingService) -> None:
        self._schedules = schedules
        self._training = training

    async def all(self) -> Sequence[ScheduleRow]:
        """Every schedule, oldest first."""
        return await self._schedules.all()

    async def create(self, cron: str, request: RunRequest, enabled: bool, caller: str) -> ScheduleRow:
        """A new schedule. Raises InvalidParameterError, ConflictError when there are too many."""
        if len(await self._schedules.all()) >= MAX_SCHEDULES:
            raise ConflictError(f"there are {MAX_SCHEDULES} schedules already; delete one first")
        at = microseconds_now()
        row = ScheduleRow(uuid4().hex, request.model, cron, request, enabled, caller, at, None)
        return await self._keep(row)

    async def change(self, id_: str, cron: str, request: RunRequest, enabled: bool) -> ScheduleRow:
        """Replace what a schedule says. Raises UnknownNameError, InvalidParameterError."""
        row = await self._find(id_)
        changed = replace(row, model=request.model, cron=cron, request=request, enabled=enabled)
        return await self._keep(changed)

    async def _keep(self, row: ScheduleRow) -> ScheduleRow:
        if row.model in RESERVED_MODEL_NAMES:
            raise InvalidParameterError(f"a model cannot be called {row.model!r}; choose another name")
        next_at = next_time(row.cron, microseconds_now())
        kept = replace(row, next_at=next_at if row.enabled else None)
        await self._schedules.put(kept)
        return kept

    async def delete(self, id_: str) -> None:
        """Runs that it started go on. Raises UnknownNameError."""
        if not await self._schedules.delete(id_):
            raise _unknown(id_)

    async def _find(self, id_: str) -> ScheduleRow:
        row = await self._schedules.find(id_)
        if row is None:
            raise _unknown(id_)
        return row

    async def step(self) -> None:
        """Start what is due, and note what became of it."""
        at = microseconds_now()
        for row in await self._schedules.due(at, DUE_A_STEP):
            outcome = await self._start(row)
            log.info("schedule", extra={"schedule": row.id, "model": row.model, "outcome": outcome})
            await self._schedules.done(row, _next_or_none(row.cron, at), at, outcome)

    async def _start(self, row: ScheduleRow) -> str:
        try:
            run = await self._training.start(row.request, f"schedule:{row.id}", key=str(row.next_at))
        except DatabaseError:
            raise  # nothing is decided: the next step tries again
        except RunActiveError as error:
            return f"skipped: {error}"
        except GatewayError as error:
            return f"failed: {error}"
        return f"started the run {run.id}"


def next_time(cron: str, after: int) -> int:
    """The first moment behind `after` (microseconds, UTC). Raises InvalidParameterError."""
    try:
        if len(cron.split()) != FIELDS or not cron.isascii():
            raise CronSimError(f"it has {len(cron.split())} fields")
        found = next(CronSim(cron, datetime.fromtimestamp(after // 1_000_000, UTC)))
    except (CronSimError, StopIteration, ValueError) as error:
        reason = str(error) or "such a day never comes"
        raise InvalidParameterError(
            f"the cron expression {cron!r} cannot be used: {reason}; expected five fields in UTC: minute "
            "hour day-of-month month day-of-week, e.g. `0 3 * * MON` for Mondays at three"
        ) from error
    return int(found.timestamp() * 1_000_000)


def _next_or_none(cron: str, after: int) -> int | None:
    """None for an expression whose last time has come, so that it keeps no other from starting."""
    try:
        return next_time(cron, after)
    except InvalidParameterError:
        return None


def _unknown(id_: str) -> UnknownNameError:
    return UnknownNameError(f"there is no schedule {id_[:80]!r}; GET /v1/schedules lists them")
