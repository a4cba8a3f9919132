"""/v1/labelling-queue: what a person should look at next."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from gateway.api.access import LabelCaller
from gateway.api.history import PredictionId, RememberedSchema, shown
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.labelling.diversity import Ranked
from gateway.labelling.service import COUNTED
from gateway.ports.labelling import Measure

router = APIRouter(tags=["labelling"])


class QueuedSchema(RememberedSchema):
    """One prediction that waits."""

    uncertainty: float = Field(description="0–1, among those that wait.")


class LabellingQueueSchema(Schema):
    """What to label next. Label by PUT /v1/predictions/{id}/feedback, which takes it out of the queue."""

    model: str
    by: Measure
    predictions: list[QueuedSchema]
    waiting: int = Field(description=f"In all; {COUNTED} stands for as many or more.")
    corrections: int = Field(description="Feedback given since the stable version was made.")


@router.get("/v1/labelling-queue", summary="What to label next", responses=guarded_responses(404, 422, 503))
async def show_queue(
    services: ControlDependency,
    _: LabelCaller,
    model: Annotated[str, Query(min_length=1, max_length=63)],
    by: Measure = "entropy",
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> LabellingQueueSchema:
    """Uncertain predictions that differ from one another, with a kept picture and without feedback."""
    card = services.rollouts.served(model).card
    made_at = int(card.created_at.timestamp() * 1_000_000)
    queue = await services.labelling.queue(model, by, limit, made_at)
    return LabellingQueueSchema(
        model=model,
        by=by,
        predictions=[_queued(item) for item in queue.items],
        waiting=queue.waiting,
        corrections=queue.corrections,
    )


def _queued(item: Ranked) -> QueuedSchema:
    return QueuedSchema(**dict(shown(item.row)), uncertainty=round(item.uncertainty, 6))


@router.post(
    "/v1/labelling-queue/{id}/skip",
    summary="Put a prediction aside",
    status_code=204,
    response_class=Response,
    responses=guarded_responses(404, 422, 503),
)
async def skip(id: PredictionId, services: ControlDependency, caller: LabelCaller) -> Response:
    """Nobody is offered it any more, until it is taken back."""
    await services.labelling.skip(id, caller.name)
    return Response(status_code=204)


@router.delete(
    "/v1/labelling-queue/{id}/skip",
    summary="Offer a prediction again",
    status_code=204,
    response_class=Response,
    responses=guarded_responses(404, 422, 503),
)
async def unskip(id: PredictionId, services: ControlDependency, _: LabelCaller) -> Response:
    """The opposite of putting it aside."""
    await services.labelling.unskip(id)
    return Response(status_code=204)
