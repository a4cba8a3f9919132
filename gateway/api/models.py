"""GET /v1/models and below: which models and versions there are, and how they fare on the replicas."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from contract.card import ModelCard
from contract.layout import ModelPaths
from contract.tfserving_api import ModelVersionState
from gateway.api.access import PredictCaller
from gateway.api.files import FOR_EVER, file_in, names_in
from gateway.api.schemas import (
    ModelSchema,
    ModelsSchema,
    ReplicaVersionSchema,
    Role,
    VersionDetailSchema,
    VersionSchema,
    VersionsSchema,
    VersionState,
    guarded_responses,
)
from gateway.api.services import Services, ServicesDependency
from gateway.errors import CardError
from gateway.ports.serving import VersionStatus
from gateway.rollouts.state import ModelState, Statuses

Version = Annotated[int, Path(ge=1)]

SUMMARY = (
    *("created_at", "run_id", "parent_version", "examples", "dataset_digest"),
    *("accuracy", "expected_calibration_error"),
)

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", summary="List models", responses=guarded_responses())
async def list_models(services: ServicesDependency, _: PredictCaller) -> ModelsSchema:
    """Every model of the store, by name."""
    return ModelsSchema(models=[_model(state) for state in services.rollouts.models()])


@router.get("/{model}/versions", summary="List versions", responses=guarded_responses(404))
async def list_versions(model: str, services: ServicesDependency, _: PredictCaller) -> VersionsSchema:
    """Every version of a model, newest first, with its state on the replicas."""
    state = services.rollouts.model(model)
    statuses = await services.rollouts.statuses(model)
    versions = [
        _version(state, version, statuses, await _card(services, model, version))
        for version in reversed(state.versions)
    ]
    return VersionsSchema(model=model, versions=versions)


@router.get(
    "/{model}/versions/{version}",
    summary="Show a version",
    responses=guarded_responses(404, 422),
)
async def show_version(
    model: str, version: Version, services: ServicesDependency, _: PredictCaller
) -> VersionDetailSchema:
    """One version: its state on the replicas, and its model card."""
    card = await _card(services, model, version)
    statuses = await services.rollouts.statuses(model)
    known, error = (card, None) if isinstance(card, ModelCard) else (None, card)
    shown = _version(services.rollouts.model(model), version, statuses, card)
    plots = await names_in(ModelPaths(services.stores.models, model).plots(version), ".png")
    return VersionDetailSchema(**dict(shown), plots=list(plots), card=known, card_error=error)


@router.get(
    "/{model}/versions/{version}/plots/{name}",
    summary="Show a plot of a version",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **guarded_responses(404, 422)},
)
async def show_plot(
    model: str, version: Version, name: str, services: ServicesDependency, _: PredictCaller
) -> Response:
    """As the trainer drew it; it never changes."""
    services.rollouts.check_version(model, version)
    return await file_in(ModelPaths(services.stores.models, model).plots(version), name, ".png", FOR_EVER)


async def _card(services: Services, model: str, version: int) -> ModelCard | str:
    """The card, or why there is none. Raises UnknownModelError, UnknownVersionError."""
    try:
        return (await services.rollouts.card_of(model, version)).card
    except CardError as error:
        return str(error)


def _model(state: ModelState) -> ModelSchema:
    return ModelSchema(
        name=state.name,
        stable=state.rollout.stable,
        versions=state.versions,
        labels=state.served.card.labels if state.served else None,
        error=state.error or state.card_error or None,
    )


def _version(state: ModelState, version: int, statuses: Statuses, card: ModelCard | str) -> VersionSchema:
    known = {address: said[version] for address, said in statuses.items() if version in said}
    return VersionSchema(
        model=state.name,
        version=version,
        state=_state(state, version, known, len(statuses)),
        role=_role(state, version),
        is_pinned=version in state.rollout.pinned,
        error=state.failed.get(version),
        replicas=[
            ReplicaVersionSchema(replica=address, state=status.state.name, error=status.error or None)
            for address, status in sorted(known.items())
        ],
        **(_summary(card) if isinstance(card, ModelCard) else dict.fromkeys(SUMMARY)),
    )


def _summary(card: ModelCard) -> dict[str, Any]:
    """What lists show of a card."""
    measured = card.test or card.validation
    values = (
        card.created_at,
        card.run_id,
        card.parent_version,
        card.dataset.examples,
        card.dataset.digest,
        measured.accuracy,
        measured.expected_calibration_error,
    )
    return dict(zip(SUMMARY, values, strict=True))


def _state(state: ModelState, version: int, known: dict[str, VersionStatus], replicas: int) -> VersionState:
    available = sum(status.state is ModelVersionState.AVAILABLE for status in known.values())
    if version in state.failed:
        return "failed"
    if available:
        return "available" if available == replicas else "partly available"
    if state.loading is not None and state.loading.version == version:
        return "loading"
    return "not loaded" if replicas else "unknown"


def _role(state: ModelState, version: int) -> Role | None:
    roles: dict[int | None, Role] = {
        state.rollout.shadow: "shadow",
        state.rollout.canary: "canary",
        state.rollout.previous_stable: "previous_stable",
        state.rollout.stable: "stable",
    }
    return roles.get(version)
