"""POST /v1/models/{model}/predictions: the hot route, so it parses and writes by itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.callers import Role
from gateway.api import problems
from gateway.api.access import caller_of
from gateway.api.direct import DirectRoute
from gateway.api.headers import header
from gateway.api.query import DEFAULT_TOP_K, MAX_TOP_K, read_query
from gateway.api.remembering import remember
from gateway.api.schemas import PredictionsSchema, guarded_responses
from gateway.api.services import services_of
from gateway.rollouts.routing import LABELS, Address
from gateway.serving.prediction import Item, Prediction

KEY_HEADER = b"x-canary-key"
SCORE_DIGITS = 6
"""float32 scores carry about seven; more digits would be noise."""

router = APIRouter(tags=["predictions"], route_class=DirectRoute)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["images"],
        "properties": {
            "images": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
        },
        "additionalProperties": False,
    }
}
_OPENAPI: dict[str, Any] = {
    "parameters": [
        {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}},
        {
            "name": "top_k",
            "in": "query",
            "required": False,
            "description": "Classifications for each picture; clipped to the number of classes.",
            "schema": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_TOP_K,
                "default": DEFAULT_TOP_K,
            },
        },
        {
            "name": "version",
            "in": "query",
            "required": False,
            "description": "Ask this version, which must be loaded: stable, canary, shadow, pinned …",
            "schema": {"type": "integer", "minimum": 1, "maximum": 10**18 - 1},
        },
        {
            "name": "label",
            "in": "query",
            "required": False,
            "description": "Ask the version that has this role in the rollout.",
            "schema": {"type": "string", "enum": list(LABELS)},
        },
        {
            "name": "X-Canary-Key",
            "in": "header",
            "required": False,
            "description": "Requests with the same key are on the same side of the canary's share.",
            "schema": {"type": "string"},
        },
        {
            "name": "store",
            "in": "query",
            "required": False,
            "description": "false: the history does not remember these predictions.",
            "schema": {"type": "boolean", "default": True},
        },
    ],
    "requestBody": {
        "required": True,
        "description": "One or many files in the field `images`, or one picture as the whole body.",
        "content": {"multipart/form-data": _FORM, "image/*": _BINARY, "application/octet-stream": _BINARY},
    },
}


@router.post(
    "/v1/models/{model}/predictions",
    summary="Classify pictures",
    response_model=PredictionsSchema,
    responses=guarded_responses(400, 404, 408, 413, 415, 422, 502, 503, 504),
    openapi_extra=_OPENAPI,
)
async def create_predictions(request: Request) -> Response:
    """Classify one or many pictures with the model's stable version.

    A picture that cannot be decoded carries its own `error`; the call fails only if all do.
    """
    scope = request.scope
    services = services_of(request)
    model = request.path_params["model"]
    caller_of(scope).require(Role.PREDICT)
    asked = read_query(scope["query_string"])
    address = Address(asked.label, asked.version, header(scope, KEY_HEADER))
    services.rollouts.route(model, address)  # what cannot answer is refused before the body is read
    async with services.uploads.read(scope, request.receive) as pictures:
        prediction = await services.prediction.predict(model, pictures, asked.top_k, address)
        if asked.store:
            remember(services, prediction, pictures, scope)
    content = _content(prediction, scope["path"], scope["request_id"])
    return Response(to_json(content), media_type="application/json")


def _content(prediction: Prediction, instance: str, request_id: str) -> dict[str, Any]:
    return {
        "model": prediction.model,
        "version": prediction.version,
        "predictions": [_item(item, instance, request_id) for item in prediction.items],
        "timing_ms": {
            "decode": _milliseconds(prediction.decode_seconds),
            "queue": _milliseconds(prediction.queue_seconds),
            "predict": _milliseconds(prediction.predict_seconds),
            "total": _milliseconds(prediction.total_seconds),
        },
    }


def _item(item: Item, instance: str, request_id: str) -> dict[str, Any]:
    content: dict[str, Any] = {
        "id": item.id,
        "filename": item.filename,
        "classifications": [
            {"label": best.label, "score": round(best.score, SCORE_DIGITS)} for best in item.classifications
        ],
    }
    if item.error is not None:
        kind = problems.kind_of(item.error)
        content["error"] = problems.problem(kind, str(item.error), instance, request_id)
    return content


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
