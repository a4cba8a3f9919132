"""GET /v1/drift: whether live pictures and answers are like those that stable was made with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from contract.reference import ReferenceProfile
from contract.values import Name
from gateway.api.access import PredictCaller
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency, ControlServices
from gateway.drift.service import Standing
from gateway.ports.drift import Window

router = APIRouter(tags=["drift"])


class DriftWindowSchema(Schema):
    """One full window of predictions."""

    at: datetime
    predictions: int
    score: float
    parts: dict[str, float] = Field(description="The score by what it was computed from; it is the largest.")


class LiveProfileSchema(Schema):
    """The window that fills now, beside the reference."""

    predictions: int
    class_shares: dict[str, float]
    confidence_counts: list[int]
    features: dict[str, float] = Field(
        description="Means over the pictures: brightness, red_green, yellow_blue, contrast; 0–255."
    )


class ModelDriftSchema(Schema):
    """One model's stable version."""

    model: str
    version: int | None
    state: str = Field(description="`normal`, `drifting`, `waiting` for a first window, or `unknown`.")
    reason: str | None = Field(description="Why it is unknown.")
    score: float | None = Field(description="Of the latest full window.")
    threshold: float = Field(description="At or above it a window alarms.")
    thresholds: dict[str, float] | None = Field(description="Of the raw statistics, by resampling.")
    false_alarms: float = Field(description="Share of undisturbed windows that may alarm.")
    window: int = Field(description="Predictions in one.")
    alarmed_since: datetime | None
    live: LiveProfileSchema | None
    reference: ReferenceProfile | None = Field(description="Of the card; without its sample of pictures.")
    history: list[DriftWindowSchema] = Field(description="Newest first.")


class DriftSchema(Schema):
    """Every model, by name."""

    models: list[ModelDriftSchema]


@router.get("/v1/drift", summary="Show drift", responses=guarded_responses(404, 422, 503))
async def show_drift(
    services: ControlDependency,
    _: PredictCaller,
    model: Annotated[Name | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Windows in `history`.")] = 100,
) -> DriftSchema:
    """Of all gateways on this database together, a few seconds late."""
    names = [model] if model is not None else [state.name for state in services.rollouts.models()]
    return DriftSchema(models=[await _model(services, name, limit) for name in names])


async def _model(services: ControlServices, model: str, limit: int) -> ModelDriftSchema:
    state = services.rollouts.model(model)
    if state.served is None:
        return _unknown(services, model, state.error or state.card_error or "no version answers yet", None)
    standing = await services.drift.standing(model, limit)
    if not services.settings.drift.enabled:
        return _unknown(services, model, "GATEWAY_DRIFT__ENABLED is false", standing.served.version)
    if standing.reference is None:
        reason = "the version's card has no reference profile: it was made before there was one; train again"
        return _unknown(services, model, reason, standing.served.version)
    return _shown(services, standing)


def _unknown(services: ControlServices, model: str, reason: str, version: int | None) -> ModelDriftSchema:
    settings = services.settings.drift
    return ModelDriftSchema(
        model=model,
        version=version,
        state="unknown",
        reason=reason,
        score=None,
        threshold=1.0,
        thresholds=None,
        false_alarms=settings.false_alarms,
        window=settings.window,
        alarmed_since=None,
        live=None,
        reference=None,
        history=[],
    )


def _shown(services: ControlServices, standing: Standing) -> ModelDriftSchema:
    settings, state = services.settings.drift, standing.state
    windows = [_window(window) for window in standing.windows]
    assert standing.reference is not None  # noqa: S101
    profile = standing.served.card.reference
    return ModelDriftSchema(
        model=state.model,
        version=state.version,
        state="drifting" if state.is_alarmed else "normal" if windows else "waiting",
        reason=None,
        score=windows[0].score if windows else None,
        threshold=1.0,
        thresholds={part: round(value, 4) for part, value in standing.reference.thresholds.items()},
        false_alarms=settings.false_alarms,
        window=settings.window,
        alarmed_since=_moment(state.since) if state.since is not None else None,
        live=_live(standing),
        reference=profile and profile.model_copy(update={"sample": _no_sample(profile)}),
        history=windows,
    )


def _no_sample(profile: ReferenceProfile) -> object:
    sample = profile.sample
    return sample.model_copy(update={name: [] for name in type(sample).model_fields})


def _live(standing: Standing) -> LiveProfileSchema | None:
    if (live := standing.live) is None:
        return None
    return LiveProfileSchema(
        predictions=live.predictions,
        class_shares=dict(live.class_shares),
        confidence_counts=list(live.confidence_counts),
        features=dict(live.features),
    )


def _window(window: Window) -> DriftWindowSchema:
    return DriftWindowSchema(
        at=_moment(window.at),
        predictions=window.predictions,
        score=round(window.score, 4),
        parts={name: round(value, 4) for name, value in window.parts.items()},
    )


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1_000_000, UTC)
