"""/v1/schedules: training runs that start by the clock."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from gateway.access.callers import Caller
from gateway.api.access import OperateCaller, PredictCaller
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency, ControlServices
from gateway.api.training_runs import RunRequestSchema, moment
from gateway.ports.training import ScheduleRow, as_json

router = APIRouter(tags=["schedules"])

ScheduleId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", examples=["0" * 32])]


class ScheduleRequestSchema(RunRequestSchema):
    """A run, and when."""

    cron: str = Field(
        min_length=9,
        max_length=128,
        description="Five fields, UTC: minute hour day-of-month month day-of-week.",
        examples=["0 3 * * MON"],
    )
    enabled: bool = True


class ScheduleSchema(RunRequestSchema):
    """One schedule."""

    id: str
    cron: str
    enabled: bool
    caller: str = Field(description="Who made it.")
    created_at: datetime
    next_at: datetime | None = Field(description="null while it is not enabled.")
    last_at: datetime | None
    last_outcome: str | None = Field(description="What became of the last time: started, skipped or failed.")


class SchedulesSchema(Schema):
    """Every schedule, oldest first."""

    schedules: list[ScheduleSchema]


@router.get("/v1/schedules", summary="List schedules", responses=guarded_responses(503))
async def list_schedules(services: ControlDependency, _: PredictCaller) -> SchedulesSchema:
    """Every schedule with its next time and what became of its last."""
    return SchedulesSchema(schedules=[shown(row) for row in await services.schedules.all()])


@router.post(
    "/v1/schedules", status_code=201, summary="Make a schedule", responses=guarded_responses(409, 422, 503)
)
async def create_schedule(
    body: ScheduleRequestSchema, response: Response, services: ControlDependency, caller: OperateCaller
) -> ScheduleSchema:
    """The first run starts at the next time of the cron expression."""
    row = await services.schedules.create(body.cron, body.request(), body.enabled, caller.name)
    await _record(services, caller, "schedule.create", row)
    response.headers["Location"] = f"/v1/schedules/{row.id}"
    return shown(row)


@router.put("/v1/schedules/{id}", summary="Change a schedule", responses=guarded_responses(404, 422, 503))
async def change_schedule(
    id: ScheduleId, body: ScheduleRequestSchema, services: ControlDependency, caller: OperateCaller
) -> ScheduleSchema:
    """Replace all that it says; what is left out takes its default."""
    row = await services.schedules.change(id, body.cron, body.request(), body.enabled)
    await _record(services, caller, "schedule.change", row)
    return shown(row)


@router.delete(
    "/v1/schedules/{id}",
    status_code=204,
    summary="Delete a schedule",
    responses=guarded_responses(404, 422, 503),
)
async def delete_schedule(id: ScheduleId, services: ControlDependency, caller: OperateCaller) -> None:
    """Runs that it started go on."""
    await services.schedules.delete(id)
    await services.audit.record(caller, "schedule.delete", id)


async def _record(services: ControlServices, caller: Caller, action: str, row: ScheduleRow) -> None:
    detail = {"schedule": row.id, "cron": row.cron, "enabled": row.enabled} | as_json(row.request)
    await services.audit.record(caller, action, row.model, detail)


def shown(row: ScheduleRow) -> ScheduleSchema:
    """A row as the API shows it."""
    return ScheduleSchema(
        **as_json(row.request),
        id=row.id,
        cron=row.cron,
        enabled=row.enabled,
        caller=row.caller,
        created_at=moment(row.created_at),
        next_at=None if row.next_at is None else moment(row.next_at),
        last_at=None if row.last_at is None else moment(row.last_at),
        last_outcome=row.last_outcome,
    )
