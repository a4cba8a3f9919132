"""GET /v1/stats: availability, latency, rates and versions over time, without a Prometheus."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from gateway.api.access import PredictCaller
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.errors import InvalidParameterError
from gateway.statistics.intervals import wilson
from gateway.statistics.service import Requests, Series, VersionUse

router = APIRouter(tags=["statistics"])

DEFAULT_RANGE = timedelta(hours=1)
PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
LONGEST_RANGE = timedelta(days=400)


class LatencySchema(Schema):
    """Milliseconds of answered requests; null without any."""

    p50: float | None
    p95: float | None
    p99: float | None


class RequestsSchema(Schema):
    """Prediction requests of some time, of all gateways."""

    answered: int
    refused: int = Field(description="Ended with 4xx: mistakes and quotas of callers.")
    failed: int = Field(description="Ended with 5xx.")
    availability: float | None = Field(description="The share that was not failed; null without requests.")
    latency_ms: LatencySchema


class PointSchema(RequestsSchema):
    """One step; steps without requests are left out."""

    at: datetime


class SeriesSchema(Schema):
    """Requests over the range: by minute up to 6 hours, by hour up to 31 days, by day beyond."""

    step_seconds: int
    points: list[PointSchema]


class AccuracySchema(Schema):
    """What people said about the answers, in all time, with the 95 % interval of the share."""

    feedback: int
    right: int
    share: float | None
    low: float
    high: float


class VersionUseSchema(Schema):
    """What one version answered in the range."""

    version: int
    predictions: int
    share: float | None = Field(description="Of the model's predictions in the range.")
    mean_score: float | None
    mean_ms: float | None
    labels: dict[str, int] = Field(description="How often each label was the best.")
    accuracy: AccuracySchema


class ModelUseSchema(Schema):
    """One model that answered in the range, or has feedback."""

    model: str
    predictions: int
    versions: list[VersionUseSchema]


class ObjectiveSchema(Schema):
    """What is promised, over the window of 30 days."""

    availability: float = Field(description="The share of requests that are not failed.")


class StatsSchema(Schema):
    """How the gateways fare."""

    started_at: datetime = Field(description="Of the process that answers this.")
    uptime_seconds: float
    since: datetime
    until: datetime
    objective: ObjectiveSchema
    windows: dict[str, RequestsSchema] = Field(description="The last hour, day and 30 days: 1h, 24h, 30d.")
    requests: RequestsSchema = Field(description="Of the range.")
    requests_per_second: float
    series: SeriesSchema
    models: list[ModelUseSchema]


@router.get("/v1/stats", summary="Statistics", responses=guarded_responses(422, 503))
async def show_stats(
    services: ControlDependency,
    _: PredictCaller,
    since: Annotated[AwareDatetime | None, Query(description="Default: an hour before `until`.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Default: now.")] = None,
    model: Annotated[str | None, Query(max_length=63, description="Default: every model.")] = None,
) -> StatsSchema:
    """Requests count predictions alone, of every gateway on this database, a few seconds late."""
    end = until or datetime.now(UTC)
    start = since or end - DEFAULT_RANGE
    if not timedelta(0) < end - start <= LONGEST_RANGE:
        raise InvalidParameterError(
            f"since {start} and until {end}: expected at least a moment and at most {LONGEST_RANGE.days} days"
        )
    first, last = int(start.timestamp()), int(end.timestamp()) + 1
    statistics = services.statistics
    series = await statistics.series(first, last)
    models = await statistics.versions(model, first, last)
    started = statistics.counter.started_at
    total = series.total
    return StatsSchema(
        started_at=datetime.fromtimestamp(started, UTC),
        uptime_seconds=round(time.time() - started, 3),
        since=start,
        until=end,
        objective=ObjectiveSchema(availability=services.settings.objectives.availability),
        windows={
            name: _requests(found) for name, found in (await statistics.windows(int(time.time()))).items()
        },
        requests=_requests(total),
        requests_per_second=round((total.answered + total.refused + total.failed) / (last - first), 3),
        series=_series(series),
        models=[_model(name, uses) for name, uses in models.items()],
    )


def _requests(found: Requests) -> RequestsSchema:
    latency = {name: found.percentile_ms(share) for name, share in PERCENTILES.items()}
    return RequestsSchema(
        answered=found.answered,
        refused=found.refused,
        failed=found.failed,
        availability=found.availability,
        latency_ms=LatencySchema(**{name: _rounded(value) for name, value in latency.items()}),
    )


def _series(series: Series) -> SeriesSchema:
    points = [
        PointSchema(at=datetime.fromtimestamp(point.at, UTC), **dict(_requests(point.requests)))
        for point in series.points
    ]
    return SeriesSchema(step_seconds=series.step_seconds, points=points)


def _model(name: str, uses: list[VersionUse]) -> ModelUseSchema:
    total = sum(use.predictions for use in uses)
    return ModelUseSchema(model=name, predictions=total, versions=[_version(use, total) for use in uses])


def _version(use: VersionUse, total: int) -> VersionUseSchema:
    low, high = wilson(use.right, use.feedback)
    return VersionUseSchema(
        version=use.version,
        predictions=use.predictions,
        share=_ratio(use.predictions, total),
        mean_score=_ratio(use.score_sum, use.predictions),
        mean_ms=_ratio(use.milliseconds_sum, use.predictions),
        labels=use.labels,
        accuracy=AccuracySchema(
            feedback=use.feedback,
            right=use.right,
            share=_ratio(use.right, use.feedback),
            low=round(low, 6),
            high=round(high, 6),
        ),
    )


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 6) if whole else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
