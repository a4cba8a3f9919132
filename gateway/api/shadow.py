"""GET /v1/models/{model}/shadow: what the shadow version answered beside stable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from gateway.api.access import PredictCaller
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.errors import UnknownVersionError
from gateway.ports.shadows import Disagreement, ShadowCount, Verdicts
from gateway.statistics.intervals import sign_test, wilson

router = APIRouter(tags=["models"])

DEFAULT_RANGE = timedelta(days=7)
SHOWN_PAIRS = 20
SHOWN_DISAGREEMENTS = 50


class AgreementSchema(Schema):
    """The share of predictions with the same label, with its 95 % interval (Wilson)."""

    share: float | None
    low: float
    high: float


class PairSchema(Schema):
    """How often stable said one thing and the shadow another."""

    label: str
    shadow_label: str
    count: int


class DisagreementSchema(Schema):
    """One prediction on which they differ."""

    prediction_id: str
    at: datetime
    stable: int
    label: str
    score: float
    shadow_label: str
    shadow_score: float


class VerdictsSchema(Schema):
    """What people said about predictions on which they differ; where they agree, both are right or wrong."""

    stable_right: int
    shadow_right: int
    neither: int
    p_value: float = Field(description="Exact two-sided sign test: both equally often right by chance.")


class ShadowSchema(Schema):
    """The comparison of the present shadow with stable."""

    model: str
    stable: int | None
    shadow: int
    share: float = Field(description="Of stable's predictions that are compared.")
    since: datetime
    comparisons: int
    failures: int = Field(description="Predictions to which the shadow gave no answer.")
    agreement: AgreementSchema
    mean_difference: float | None = Field(description="Of the score of stable's label.")
    stable_ms: float | None = Field(description="Mean of the batch's prediction.")
    shadow_ms: float | None
    pairs: list[PairSchema]
    disagreements: list[DisagreementSchema]
    feedback: VerdictsSchema


@router.get(
    "/v1/models/{model}/shadow",
    summary="Compare the shadow with stable",
    responses=guarded_responses(404, 422, 503),
)
async def show_shadow(
    model: str,
    services: ControlDependency,
    _: PredictCaller,
    since: Annotated[AwareDatetime | None, Query(description="Default: a week ago.")] = None,
) -> ShadowSchema:
    """Counts of all gateways on this database, a few seconds late. 404 while there is no shadow."""
    rollout = services.rollouts.model(model).rollout
    if rollout.shadow is None:
        raise UnknownVersionError(f"no version of the model {model!r} is shadow; PUT the rollout to set one")
    start = since or datetime.now(UTC) - DEFAULT_RANGE
    counts = await services.shadows.totals(model, rollout.shadow, int(start.timestamp()) // 60)
    latest = await services.shadows.latest(model, rollout.shadow, SHOWN_DISAGREEMENTS)
    verdicts = await services.shadows.verdicts(model, rollout.shadow)
    compared = sum(count.comparisons for count in counts)
    same = sum(count.comparisons for count in counts if count.label == count.shadow_label)
    low, high = wilson(same, compared)
    return ShadowSchema(
        model=model,
        stable=rollout.stable,
        shadow=rollout.shadow,
        share=rollout.shadow_share,
        since=start,
        comparisons=compared,
        failures=sum(count.failures for count in counts),
        agreement=AgreementSchema(share=_mean(same, compared), low=round(low, 6), high=round(high, 6)),
        mean_difference=_mean(sum(count.difference_sum for count in counts), compared),
        stable_ms=_mean(sum(count.stable_milliseconds_sum for count in counts), compared),
        shadow_ms=_mean(sum(count.shadow_milliseconds_sum for count in counts), compared),
        pairs=_pairs(counts),
        disagreements=[_disagreement(one) for one in latest],
        feedback=_verdicts(verdicts),
    )


def _mean(total: float, count: int) -> float | None:
    return round(total / count, 6) if count else None


def _pairs(counts: list[ShadowCount]) -> list[PairSchema]:
    differing = [count for count in counts if count.comparisons and count.label != count.shadow_label]
    return [
        PairSchema(label=count.label, shadow_label=count.shadow_label, count=count.comparisons)
        for count in sorted(differing, key=lambda count: -count.comparisons)[:SHOWN_PAIRS]
    ]


def _disagreement(one: Disagreement) -> DisagreementSchema:
    return DisagreementSchema(
        prediction_id=one.prediction_id,
        at=datetime.fromtimestamp(one.at / 1_000_000, UTC),
        stable=one.stable,
        label=one.label,
        score=round(one.score, 6),
        shadow_label=one.shadow_label,
        shadow_score=round(one.shadow_score, 6),
    )


def _verdicts(found: Verdicts) -> VerdictsSchema:
    return VerdictsSchema(
        stable_right=found.stable_right,
        shadow_right=found.shadow_right,
        neither=found.neither,
        p_value=round(sign_test(found.stable_right, found.shadow_right), 6),
    )
