"""GET /v1/audit: who did what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from gateway.api.access import OperateCaller
from gateway.api.cursors import decoded, encoded
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.errors import InvalidParameterError

router = APIRouter(tags=["audit"])


class AuditEntrySchema(Schema):
    """One deed."""

    id: str
    at: datetime
    caller: str
    action: str
    target: str
    detail: dict[str, Any]
    reason: str | None
    request_id: str


class AuditPageSchema(Schema):
    """Deeds, newest first."""

    entries: list[AuditEntrySchema]
    next_cursor: str | None


@router.get("/v1/audit", summary="Who did what", responses=guarded_responses(422, 503))
async def list_audit(
    services: ControlDependency,
    _: OperateCaller,
    target: Annotated[str | None, Query(min_length=1, max_length=255, description="E.g. a model.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> AuditPageSchema:
    """Changes of rollouts, runs, datasets and schedules, newest first."""
    if target is not None and "\0" in target:
        raise InvalidParameterError("target holds a NUL character")
    entries, after = await services.audit.page(target, decoded(cursor) if cursor else None, limit)
    return AuditPageSchema(
        entries=[
            AuditEntrySchema(
                id=entry.id,
                at=datetime.fromtimestamp(entry.at / 1_000_000, UTC),
                caller=entry.caller,
                action=entry.action,
                target=entry.target,
                detail=dict(entry.detail),
                reason=entry.reason,
                request_id=entry.request_id,
            )
            for entry in entries
        ],
        next_cursor=encoded(after) if after else None,
    )
