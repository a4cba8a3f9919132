"""POST /v1/models/{model}/predictions: the hot route, so it parses and writes by itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from gateway.api import problems
from gateway.api.direct import DirectRoute
from gateway.api.schemas import PredictionsSchema, problem_responses
from gateway.api.services import services_of
from gateway.errors import InvalidParameterError
from gateway.prediction import Item, Prediction

DEFAULT_TOP_K = 5
MAX_TOP_K = 1000
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
            "schema": {"type": "integer", "minimum": 1, "maximum": MAX_TOP_K, "default": DEFAULT_TOP_K},
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
    responses=problem_responses(400, 404, 408, 413, 415, 422, 500, 502, 503, 504),
    openapi_extra=_OPENAPI,
)
async def create_predictions(request: Request) -> Response:
    """Classify one or many pictures with the model's stable version.

    A picture that cannot be decoded carries its own `error`; the call fails only if all do.
    """
    scope = request.scope
    services = services_of(request)
    model = request.path_params["model"]
    top_k = _top_k(scope["query_string"])
    services.rollouts.served(model)  # an unknown model is refused before its body is read
    async with services.uploads.read(scope, request.receive) as pictures:
        prediction = await services.prediction.predict(model, pictures, top_k)
    content = _content(prediction, scope["path"], scope["request_id"])
    return Response(to_json(content), media_type="application/json")


def _top_k(query: bytes) -> int:
    if not query:
        return DEFAULT_TOP_K
    top_k = DEFAULT_TOP_K
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name != "top_k":
            raise InvalidParameterError(f"unknown parameter {name[:80]!r}; there is only top_k")
        if not (value.isascii() and value.isdigit() and len(value) <= 4 and 1 <= int(value) <= MAX_TOP_K):
            raise InvalidParameterError(f"top_k is {value[:80]!r}; expected a number from 1 to {MAX_TOP_K}")
        top_k = int(value)
    return top_k


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
