"""GET /v1/predictions and below: the history of predictions, their pictures, and feedback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, Field
from starlette.responses import Response, StreamingResponse

from contract.values import LabelName
from gateway.api.access import LabelCaller, PredictCaller
from gateway.api.cursors import decoded, encoded
from gateway.api.pictures import PICTURE_RESPONSES, WantedSide, picture_answer
from gateway.api.schemas import ClassificationSchema, Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.errors import InvalidParameterError
from gateway.ports.history import FeedbackFilter, HistoryFilter, PredictionRow

router = APIRouter(tags=["history"])

MAX_PAGE = 500
PredictionId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", examples=["0" * 32])]
Text = Annotated[str | None, Query(min_length=1, max_length=255)]


class RememberedSchema(Schema):
    """One remembered prediction."""

    id: str
    at: datetime
    model: str
    version: int
    role: str = Field(description="Why this version answered: `stable`, `canary` or `named`.")
    classifications: list[ClassificationSchema] = Field(description="The five best, best first.")
    margin: float = Field(description="Best score minus the second best.")
    entropy: float = Field(description="Of all scores, in nats.")
    filename: str | None
    caller: str
    request_id: str
    milliseconds: float
    picture: str | None = Field(description="SHA-256 of the kept picture; null when it was not kept.")
    feedback: str | None = Field(description="The true label that a person gave.")
    feedback_at: datetime | None
    feedback_by: str | None


class HistoryPageSchema(Schema):
    """Predictions, newest first."""

    predictions: list[RememberedSchema]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null after the last.")


class FeedbackSchema(Schema):
    """What the picture truly shows."""

    label: LabelName


async def _filter(
    model: Text = None,
    version: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    label: Annotated[str | None, Query(min_length=1, max_length=255, description="The best label.")] = None,
    caller: Text = None,
    min_score: Annotated[float | None, Query(ge=0, le=1)] = None,
    max_score: Annotated[float | None, Query(ge=0, le=1)] = None,
    since: Annotated[AwareDatetime | None, Query(description="From then on.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before then.")] = None,
    feedback: FeedbackFilter | None = None,
) -> HistoryFilter:
    for name, value in (("model", model), ("label", label), ("caller", caller)):
        if value is not None and "\0" in value:
            raise InvalidParameterError(f"{name} holds a NUL character")
    return HistoryFilter(
        model, version, label, caller, min_score, max_score, _moment(since), _moment(until), feedback
    )


Wanted = Annotated[HistoryFilter, Depends(_filter)]


@router.get("/v1/predictions", summary="List predictions", responses=guarded_responses(422, 503))
async def list_predictions(
    services: ControlDependency,
    _: PredictCaller,
    wanted: Wanted,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> HistoryPageSchema:
    """Remembered predictions that match every filter, newest first."""
    rows, after = await services.history.page(wanted, decoded(cursor) if cursor else None, limit)
    return HistoryPageSchema(
        predictions=[shown(row) for row in rows], next_cursor=encoded(after) if after else None
    )


@router.get(
    "/v1/predictions.csv",
    summary="Download predictions as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **guarded_responses(422, 503)},
)
async def download_predictions(services: ControlDependency, _: PredictCaller, wanted: Wanted) -> Response:
    """All predictions that match, newest first; cells that a spreadsheet would run are made text."""
    pieces = services.history.csv(wanted)
    first = await anext(pieces)

    async def rest() -> AsyncIterator[str]:
        yield first
        async for piece in pieces:
            yield piece

    headers = {"Content-Disposition": 'attachment; filename="predictions.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(rest(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/v1/predictions/{id}", summary="Show a prediction", responses=guarded_responses(404, 422, 503))
async def show_prediction(
    id: PredictionId, services: ControlDependency, _: PredictCaller
) -> RememberedSchema:
    """One remembered prediction; it is there within a second of its answer."""
    return shown(await services.history.find(id))


@router.get(
    "/v1/predictions/{id}/image",
    summary="Show the picture of a prediction",
    response_class=Response,
    responses=PICTURE_RESPONSES,
)
async def show_picture(
    id: PredictionId,
    request: Request,
    services: ControlDependency,
    _: PredictCaller,
    side: WantedSide = None,
) -> Response:
    """The picture as it was kept, without EXIF, GPS and other metadata; with `side`, a small version."""
    sha256, _extension = await services.history.kept(id)
    read = partial(services.history.picture, id)
    return await picture_answer(request, services.thumbnails, sha256, side, read)


@router.put(
    "/v1/predictions/{id}/feedback",
    summary="Say what the picture truly shows",
    responses=guarded_responses(404, 422, 503),
)
async def give_feedback(
    id: PredictionId, body: FeedbackSchema, services: ControlDependency, caller: LabelCaller
) -> RememberedSchema:
    """Set the true label; a second time replaces the first."""
    return shown(await services.history.give_feedback(id, body.label, caller.name))


@router.delete(
    "/v1/predictions/{id}/feedback",
    summary="Take feedback back",
    responses=guarded_responses(404, 422, 503),
)
async def take_feedback_back(
    id: PredictionId, services: ControlDependency, caller: LabelCaller
) -> RememberedSchema:
    """The prediction counts as not looked at again."""
    return shown(await services.history.give_feedback(id, None, caller.name))


def shown(row: PredictionRow) -> RememberedSchema:
    """A row as the API shows it."""
    return RememberedSchema(
        id=row.id,
        at=_datetime(row.at),
        model=row.model,
        version=row.version,
        role=row.role,
        classifications=[
            ClassificationSchema(label=label, score=score) for label, score in row.classifications
        ],
        margin=row.margin,
        entropy=row.entropy,
        filename=row.filename,
        caller=row.caller,
        request_id=row.request_id,
        milliseconds=row.milliseconds,
        picture=row.picture,
        feedback=row.feedback,
        feedback_at=_datetime(row.feedback_at) if row.feedback_at is not None else None,
        feedback_by=row.feedback_by,
    )


def _moment(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1_000_000)


def _datetime(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
