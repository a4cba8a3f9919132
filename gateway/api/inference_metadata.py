"""The Open Inference Protocol (v2): what there is, and whether it answers.

Inferring is gateway.api.inference's.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import Field

from gateway.api.access import PredictCaller
from gateway.api.operations import answering
from gateway.api.schemas import Schema, guarded_responses, problem_responses
from gateway.api.services import Services, ServicesDependency
from gateway.errors import InvalidParameterError, NoVersionError
from gateway.rollouts.routing import Address

router = APIRouter(tags=["open inference protocol"])

ENCODED = "encoded_images"
LABELS = "labels"


class LiveSchema(Schema):
    """Alive."""

    live: bool = True


class V2ReadySchema(Schema):
    """Ready."""

    ready: bool = True


class ServerMetadataSchema(Schema):
    """Who answers."""

    name: str = "rekindle"
    version: str
    extensions: list[str] = Field(default=["binary_tensor_data"])


class TensorMetadataSchema(Schema):
    """One input or output; −1 is any size."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadataSchema(Schema):
    """A model's tensors."""

    name: str
    versions: list[str]
    platform: str = "tensorflow_savedmodel"
    inputs: list[TensorMetadataSchema]
    outputs: list[TensorMetadataSchema]


class ModelReadySchema(Schema):
    """Whether a model answers."""

    name: str
    ready: bool = Field(default=True)


@router.get("/v2", summary="Server metadata", responses=guarded_responses())
async def server_metadata(request: Request, _: PredictCaller) -> ServerMetadataSchema:
    """Name, version and extensions of this server."""
    return ServerMetadataSchema(version=request.app.version)


@router.get("/v2/health/live", summary="Is the process alive?")
async def live() -> LiveSchema:
    """Answers as long as the event loop runs."""
    return LiveSchema()


@router.get("/v2/health/ready", summary="Can predictions be answered?", responses=problem_responses(503))
async def ready(services: ServicesDependency) -> V2ReadySchema:
    """Ready with at least one replica and one model."""
    services.replicas.require()
    if not answering(services):
        raise NoVersionError("no version of any model is AVAILABLE yet")
    return V2ReadySchema()


@router.get("/v2/models/{model}", summary="Model metadata", responses=guarded_responses(404, 503))
async def model_metadata(model: str, services: ServicesDependency, _: PredictCaller) -> ModelMetadataSchema:
    """Inputs and outputs of the stable version."""
    return _metadata(services, model, Address())


@router.get(
    "/v2/models/{model}/versions/{version}",
    summary="Metadata of a version",
    responses=guarded_responses(404, 422, 503),
)
async def version_metadata(
    model: str, version: str, services: ServicesDependency, _: PredictCaller
) -> ModelMetadataSchema:
    """Inputs and outputs of one version."""
    return _metadata(services, model, version_address(version))


@router.get(
    "/v2/models/{model}/ready", summary="Does the model answer?", responses=guarded_responses(404, 503)
)
async def model_ready(model: str, services: ServicesDependency, _: PredictCaller) -> ModelReadySchema:
    """Ready when the stable version answers."""
    services.rollouts.route(model)
    services.replicas.require()
    return ModelReadySchema(name=model)


@router.get(
    "/v2/models/{model}/versions/{version}/ready",
    summary="Does the version answer?",
    responses=guarded_responses(404, 422, 503),
)
async def version_ready(
    model: str, version: str, services: ServicesDependency, _: PredictCaller
) -> ModelReadySchema:
    """Ready when the version is loaded everywhere."""
    services.rollouts.route(model, version_address(version))
    services.replicas.require()
    return ModelReadySchema(name=model)


def version_address(version: str) -> Address:
    """The address of a version in a path. Raises InvalidParameterError."""
    if not (version.isascii() and version.isdigit() and len(version) <= 18 and int(version) >= 1):
        raise InvalidParameterError(f"version is {version[:80]!r}; expected a positive number")
    return Address(version=int(version))


def _metadata(services: Services, model: str, address: Address) -> ModelMetadataSchema:
    card = services.rollouts.route(model, address).served.card
    image = card.image
    return ModelMetadataSchema(
        name=model,
        versions=[str(version) for version in services.rollouts.model(model).versions],
        inputs=[
            TensorMetadataSchema(
                name=card.input_name, datatype="UINT8", shape=[-1, image.height, image.width, 3]
            ),
            TensorMetadataSchema(name=ENCODED, datatype="BYTES", shape=[-1]),
        ],
        outputs=[
            TensorMetadataSchema(name=card.output_name, datatype="FP32", shape=[-1, len(card.labels)]),
            TensorMetadataSchema(name=LABELS, datatype="BYTES", shape=[-1]),
        ],
    )
