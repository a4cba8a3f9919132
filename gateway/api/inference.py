"""The Open Inference Protocol (v2) beside our own API, so that clients of KServe and Triton work unchanged.

A model takes its images as `images` (UINT8, [N, height, width, 3]), or whole encoded pictures as
`encoded_images` (BYTES, [N]); it answers `probabilities` (FP32, [N, classes]) and, where asked for,
`labels` (BYTES, [N]). Errors are our problems with the member `error`, where these clients look.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from contract.card import ModelCard
from gateway.access.callers import Role
from gateway.api import tensors
from gateway.api.access import caller_of
from gateway.api.direct import DirectRoute
from gateway.api.headers import header
from gateway.api.inference_metadata import ENCODED, LABELS, version_address
from gateway.api.remembering import remember
from gateway.api.schemas import guarded_responses
from gateway.api.services import Services, services_of
from gateway.api.tensors import InferenceRequest, OutputRequest, OutputTensor
from gateway.errors import MalformedBodyError, TooLargeError
from gateway.history.preparing import Remembered
from gateway.ids import new_id
from gateway.rollouts.routing import Address
from gateway.serving.decoding import Picture

router = APIRouter(tags=["open inference protocol"], route_class=DirectRoute)

LENGTH = "Inference-Header-Content-Length"


_STATUSES = (400, 404, 408, 413, 422, 502, 503, 504)
_INFER: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON, or JSON followed by raw tensors (binary tensor data extension).",
        "content": {
            "application/json": {"schema": InferenceRequest.model_json_schema()},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_MODEL = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
_VERSION = {"name": "version", "in": "path", "required": True, "schema": {"type": "string"}}
_OK: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        }
    }
}


@router.post(
    "/v2/models/{model}/infer",
    summary="Infer with the stable version",
    response_class=Response,
    responses={**_OK, **guarded_responses(*_STATUSES)},
    openapi_extra=_INFER | {"parameters": [_MODEL]},
)
async def infer(request: Request) -> Response:
    """Score images with the version that answers whoever names none."""
    return await _infer(request, Address(key=header(request.scope, b"x-canary-key")))


@router.post(
    "/v2/models/{model}/versions/{version}/infer",
    summary="Infer with a version",
    response_class=Response,
    responses={**_OK, **guarded_responses(*_STATUSES)},
    openapi_extra=_INFER | {"parameters": [_MODEL, _VERSION]},
)
async def infer_version(request: Request) -> Response:
    """Score images with one version."""
    return await _infer(request, version_address(request.path_params["version"]))


async def _infer(request: Request, address: Address) -> Response:
    scope = request.scope
    caller_of(scope).require(Role.PREDICT)
    services, model = services_of(request), request.path_params["model"]
    card = services.rollouts.route(model, address).served.card
    async with services.uploads.read_body(scope, request.receive) as body:
        asked, raws = tensors.parse(body, header(scope, LENGTH.lower().encode()))
        if len(asked.inputs) != 1:
            raise MalformedBodyError(
                f"{len(asked.inputs)} inputs; expected one: {card.input_name} or {ENCODED}"
            )
        wanted = _outputs(asked, card)
        if asked.inputs[0].name == ENCODED:
            scored = await _from_pictures(request, address, asked, raws[0])
        else:
            scored = await _from_tensor(request, address, asked, raws[0], card)
    version, labels, rows = scored
    outputs = [(_output(output.name, rows, labels), asked.wants_binary(output)) for output in wanted]
    head: dict[str, Any] = {"model_name": model, "model_version": str(version), "id": asked.id or new_id()}
    content, json_length = tensors.answer(head, outputs)
    if json_length is None:
        return Response(content, media_type="application/json")
    return Response(content, headers={LENGTH: str(json_length)}, media_type="application/octet-stream")


Scored = tuple[int, list[str], list[Any]]


async def _from_pictures(
    request: Request, address: Address, asked: InferenceRequest, raw: bytes | None
) -> Scored:
    services, model = services_of(request), request.path_params["model"]
    pictures = [Picture(element) for element in tensors.bytes_elements(asked.inputs[0], raw)]
    _check_count(services, len(pictures))
    prediction = await services.prediction.predict(model, pictures, 1, address)
    for item in prediction.items:
        if item.error is not None:  # a tensor has a row for each picture, or there is none
            raise item.error
    remember(services, prediction, pictures, request.scope)
    return prediction.version, list(prediction.labels), [item.scores for item in prediction.items]


async def _from_tensor(
    request: Request, address: Address, asked: InferenceRequest, raw: bytes | None, card: ModelCard
) -> Scored:
    services, model, tensor = services_of(request), request.path_params["model"], asked.inputs[0]
    expected = [card.image.height, card.image.width, 3]
    if tensor.name != card.input_name:
        raise MalformedBodyError(f"no input {tensor.name!r}; there are: {card.input_name}, {ENCODED}")
    if len(tensor.shape) != 4 or tensor.shape[1:] != expected or not tensor.shape[0]:
        raise MalformedBodyError(
            f"input {tensor.name!r} has shape {tensor.shape}; expected {[-1, *expected]}"
        )
    _check_count(services, tensor.shape[0])
    content, size = tensors.uint8_content(tensor, raw), card.image.bytes_per_image
    images = [content[start : start + size] for start in range(0, len(content), size)]
    route, answer = await services.prediction.score(model, images, address)
    labels = list(route.served.card.labels)
    for row in answer.rows:
        services.recorder.remember(
            Remembered(
                id=new_id(),
                model=model,
                version=answer.version,
                role=route.role,
                labels=labels,
                scores=row,
                filename=None,
                caller=caller_of(request.scope).name,
                request_id=request.scope["request_id"],
                seconds=answer.queue_seconds + answer.predict_seconds,
                picture=None,
            )
        )
    return answer.version, labels, list(answer.rows)


def _check_count(services: Services, count: int) -> None:
    most = services.uploads.images_per_request
    if count > most:
        raise TooLargeError(f"{count} images; at most {most} are accepted in one request")
    if not count:
        raise MalformedBodyError("the input holds no image")


def _outputs(asked: InferenceRequest, card: ModelCard) -> list[OutputRequest]:
    known = (card.output_name, LABELS)
    for output in asked.outputs:
        if output.name not in known:
            raise MalformedBodyError(f"no output {output.name!r}; there are: {', '.join(known)}")
    return asked.outputs or [OutputRequest(name=card.output_name)]


def _output(name: str, rows: list[Any], labels: list[str]) -> OutputTensor:
    if name == LABELS:
        best = [labels[max(range(len(row)), key=row.__getitem__)] for row in rows]
        return OutputTensor(name, [len(rows)], best)
    return OutputTensor(name, [len(rows), len(labels)], rows)
