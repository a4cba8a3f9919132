"""GET /v1/models/{model}/embeddings: the latest remembered pictures as a version sees them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from gateway.api.access import PredictCaller
from gateway.api.schemas import Schema, guarded_responses
from gateway.api.services import ControlDependency
from gateway.evaluation.embeddings import MOST_PICTURES

router = APIRouter(tags=["models"])


class SeenSchema(Schema):
    """One remembered prediction."""

    id: str
    embedding: list[float] = Field(description="What the network's last layer sees, to four digits.")


class EmbeddingsSchema(Schema):
    """Newest first."""

    model: str
    version: int = Field(description="The version that sees them so.")
    predictions: list[SeenSchema] = Field(description="Those whose picture is kept.")


@router.get(
    "/v1/models/{model}/embeddings",
    summary="Latest pictures as a version sees them",
    response_model=EmbeddingsSchema,
    responses=guarded_responses(404, 409, 422, 502, 503, 504),
)
async def list_embeddings(
    model: str,
    services: ControlDependency,
    _: PredictCaller,
    version: Annotated[int | None, Query(ge=1, lt=10**18, description="Else the stable one.")] = None,
    limit: Annotated[
        int, Query(ge=1, le=MOST_PICTURES, description="Fewer where embeddings are long.")
    ] = MOST_PICTURES,
) -> Any:
    """Computed now, while no caller's images wait; for one caller at a time. 409 from a version without."""
    answered, seen = await services.embeddings.latest(model, version, limit)
    predictions = [SeenSchema(id=one.id, embedding=list(one.embedding)) for one in seen]
    return EmbeddingsSchema(model=model, version=answered, predictions=predictions)
