"""GET /v1/triggers: what would start a training run by itself, and whether one may start now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from gateway.api.access import PredictCaller
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.settings import Settings
from gateway.training.triggers import ModelTriggers, Refusal

router = APIRouter(tags=["training runs"])


class RefusalSchema(Schema):
    """Why a trigger could start no run, the last time."""

    at: datetime
    cause: Literal["corrections", "drift"]
    reason: str


class ModelTriggersSchema(Schema):
    """One model."""

    model: str
    corrections: int = Field(description="Since its last run began.")
    corrections_wanted: int = Field(description="So many start a run; 0: never.")
    is_drifting: bool
    starts_on_drift: bool
    runs_today: int = Field(description="Runs that began in the last 24 hours.")
    runs_per_day: int = Field(description="0: no limit.")
    cooldown_seconds: float
    next_run_at: datetime | None = Field(description="null: a run may start now, whoever asks.")
    waits_for: Literal["budget", "cooldown"] | None
    refusal: RefusalSchema | None


class TriggersSchema(Schema):
    """Every model, by name."""

    models: list[ModelTriggersSchema]


@router.get("/v1/triggers", summary="Show what starts training runs", responses=guarded_responses(503))
async def show_triggers(services: ControlDependency, _: PredictCaller) -> TriggersSchema:
    """The budget and the cool-down hold for people and schedules too."""
    names = [state.name for state in services.rollouts.models()]
    found = [await services.triggers.standing(name) for name in names]
    return TriggersSchema(models=[_shown(each, services.settings) for each in found])


def _shown(found: ModelTriggers, settings: Settings) -> ModelTriggersSchema:
    allowance, refusal = found.allowance, found.refusal
    return ModelTriggersSchema(
        model=found.model,
        corrections=found.corrections,
        corrections_wanted=settings.triggers.corrections,
        is_drifting=found.is_drifting,
        starts_on_drift=settings.triggers.drift,
        runs_today=allowance.used,
        runs_per_day=allowance.per_day,
        cooldown_seconds=settings.training.cooldown_seconds,
        next_run_at=_moment(allowance.next_at) if allowance.next_at is not None else None,
        waits_for=allowance.why,
        refusal=_refusal(refusal) if refusal is not None else None,
    )


def _refusal(refusal: Refusal) -> RefusalSchema:
    return RefusalSchema(at=_moment(refusal.at), cause=refusal.cause, reason=refusal.reason)


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1_000_000, UTC)
