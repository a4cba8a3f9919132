"""GET /v1/models/{model}/rollout: which version answers."""

from __future__ import annotations

from fastapi import APIRouter

from gateway.api.access import PredictCaller
from gateway.api.schemas import RolloutSchema, guarded_responses
from gateway.api.services import ServicesDependency

router = APIRouter(tags=["rollout"])


@router.get(
    "/v1/models/{model}/rollout",
    summary="Show the rollout",
    responses=guarded_responses(404),
)
async def show_rollout(model: str, services: ServicesDependency, _: PredictCaller) -> RolloutSchema:
    """The model's rollout, and the version that is on its way to be stable."""
    state = services.rollouts.model(model)
    return RolloutSchema(
        rollout=state.rollout,
        loading=state.loading.version if state.loading else None,
        failed=state.failed,
        error=state.error or None,
    )
