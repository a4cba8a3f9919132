"""GET /v1/models/{model}/canary: how the canary stands against stable, and how earlier ones ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from gateway.api.access import PredictCaller
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.canary.judging import Finding, verdict_of
from gateway.ports.canary import SIGNALS, Outcome, Signal, Trial
from gateway.settings import CanarySettings

router = APIRouter(tags=["rollout"])


class SignalSchema(Schema):
    """One thing that is compared. Hits are failed calls, slow calls, or wrong answers by feedback."""

    signal: Signal
    canary: int
    canary_hits: int
    stable: int
    stable_hits: int
    evidence: float = Field(description="That the canary is worse: it is rolled back at 1.")
    canary_low: float = Field(description="Bounds of the share of hits, valid at all times together.")
    canary_high: float
    stable_low: float
    stable_high: float
    worst_difference: float = Field(description="The canary's upper minus stable's lower bound.")
    margin: float = Field(description="It must be below this to be promoted.")


class CoursePointSchema(Schema):
    """The evidence at some moment."""

    watched_seconds: float
    errors: float
    latency: float
    accuracy: float


class TrialSchema(Schema):
    """One canary against one stable version."""

    id: str
    model: str
    stable: int
    canary: int
    began_at: datetime
    ended_at: datetime | None
    watched_seconds: float = Field(description="For how long it was judged.")
    outcome: Outcome = Field(description="`ended`: by somebody, who changed the rollout.")
    sentence: str = Field(description="What was decided, or what is known so far.")
    missing: list[str] = Field(description="What a promotion waits for.")
    signals: list[SignalSchema]
    course: list[CoursePointSchema]


class CanarySchema(Schema):
    """The canary's trials."""

    model: str
    trials: list[TrialSchema] = Field(description="Newest first; one that runs is the first.")


@router.get(
    "/v1/models/{model}/canary",
    summary="Compare the canary with stable",
    responses=guarded_responses(404, 422, 503),
)
async def show_canary(
    model: str,
    services: ControlDependency,
    _: PredictCaller,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> CanarySchema:
    """Of all gateways on this database together, a few seconds late."""
    services.rollouts.model(model)
    trials = await services.trials.page(model, limit)
    return CanarySchema(model=model, trials=[shown(trial, services.settings.canary) for trial in trials])


def shown(trial: Trial, settings: CanarySettings) -> TrialSchema:
    """A trial as the API shows it."""
    verdict = verdict_of(trial, settings)
    decided = (trial.decision or {}).get("sentence")
    is_running = trial.outcome == "running"
    return TrialSchema(
        id=trial.id,
        model=trial.arms.model,
        stable=trial.arms.stable,
        canary=trial.arms.canary,
        began_at=_moment(trial.began_at),
        ended_at=_moment(trial.ended_at) if trial.ended_at is not None else None,
        watched_seconds=round(trial.watched_seconds, 1),
        outcome=trial.outcome,
        sentence=decided or verdict.sentence,
        missing=list(verdict.missing) if is_running else [],
        signals=[_signal(found) for found in verdict.findings],
        course=[_point(point) for point in (trial.state or {}).get("course", ())],
    )


def _signal(found: Finding) -> SignalSchema:
    table = found.table
    return SignalSchema(
        signal=found.signal,
        canary=table.canary,
        canary_hits=table.canary_hits,
        stable=table.stable,
        stable_hits=table.stable_hits,
        evidence=round(found.evidence, 4),
        canary_low=round(found.canary[0], 6),
        canary_high=round(found.canary[1], 6),
        stable_low=round(found.stable[0], 6),
        stable_high=round(found.stable[1], 6),
        worst_difference=round(found.worst_difference, 6),
        margin=found.margin,
    )


def _point(point: Any) -> CoursePointSchema:
    seconds, *values = point
    return CoursePointSchema(watched_seconds=seconds, **dict(zip(SIGNALS, values, strict=True)))


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1_000_000, UTC)
