"""POST /v1/models/{model}/predictions: the hot route, so it parses and writes by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.access.callers import Role
from gateway.api import problems
from gateway.api.access import caller_of
from gateway.api.direct import DirectRoute
from gateway.api.headers import header
from gateway.api.idempotency import HEADER, LONGEST_KEY, REPLAYED, digest_of
from gateway.api.query import DEFAULT_TOP_K, MAX_TOP_K, PredictionQuery, read_query
from gateway.api.remembering import remember
from gateway.api.schemas import PredictionsSchema, guarded_responses
from gateway.api.services import Services, services_of
from gateway.rollouts.routing import LABELS, Address
from gateway.serving.decoding import Picture
from gateway.serving.prediction import Prediction
from gateway.serving.ranking import Item

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
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "The same request with the same key gets the first answer again, for an hour "
            "by default and from the same process.",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
        },
        {
            "name": "store",
            "in": "query",
            "required": False,
            "description": "false: the history does not remember these predictions.",
            "schema": {"type": "boolean", "default": True},
        },
        {
            "name": "embedding",
            "in": "query",
            "required": False,
            "description": "true: also what the network's last layer sees of each picture. 409 from a "
            "version that gives none.",
            "schema": {"type": "boolean", "default": False},
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
    responses=guarded_responses(400, 404, 408, 409, 413, 415, 422, 502, 503, 504),
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
    address = Address(asked.label, asked.version, header(scope, KEY_HEADER), asked.embedding)
    services.rollouts.route(model, address)  # what cannot answer is refused before the body is read
    key = header(scope, HEADER)
    async with services.uploads.read(scope, request.receive) as pictures:
        if key is not None:
            return await _once(services, scope, key, model, pictures, asked, address)
        answer = await _answer(services, scope, model, pictures, asked, address)
    return Response(answer, media_type="application/json")


async def _answer(
    services: Services,
    scope: Scope,
    model: str,
    pictures: Sequence[Picture],
    asked: PredictionQuery,
    address: Address,
) -> bytes:
    prediction = await services.prediction.predict(model, pictures, asked.top_k, address)
    if asked.store:
        remember(services, prediction, pictures, scope)
    return to_json(_content(prediction, scope["path"], scope["request_id"]))


async def _once(
    services: Services,
    scope: Scope,
    key: str,
    model: str,
    pictures: Sequence[Picture],
    asked: PredictionQuery,
    address: Address,
) -> Response:
    """The first answer to this key of this caller, whenever it is asked for."""
    named = (picture.filename or "" for picture in pictures)
    contents = (picture.content for picture in pictures)
    asks = (
        scope["raw_path"],
        scope["query_string"],
        *(name.encode(errors="surrogatepass") for name in named),
        *contents,
    )
    with services.answers.asked(caller_of(scope).name, key, digest_of(asks)) as known:
        headers = None if known.answer is None else REPLAYED
        if known.answer is None:
            known.answer = await _answer(services, scope, model, pictures, asked, address)
    return Response(known.answer, headers=headers, media_type="application/json")


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
    if item.embedding:
        content["embedding"] = list(item.embedding)
    if item.error is not None:
        kind = problems.kind_of(item.error)
        content["error"] = problems.problem(kind, str(item.error), instance, request_id)
    return content


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
