"""GET/PUT /v1/models/{model}/rollout and POST …/rollback: which version answers whom."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from contract.values import VersionNumber
from gateway.access.callers import Caller
from gateway.api.access import OperateCaller, PredictCaller
from gateway.api.schemas import RolloutSchema, Schema, guarded_responses
from gateway.api.services import ControlDependency, ControlServices
from gateway.errors import CardError, InvalidParameterError
from gateway.rollouts.operations import UNCHANGED, RolloutChange, changed, rolled_back
from gateway.rollouts.rules import reason_to_wait
from gateway.rollouts.state import ModelState

router = APIRouter(tags=["rollout"])

Reason = Annotated[str | None, Field(min_length=1, max_length=2000, description="Goes into the audit log.")]


class RolloutChangeSchema(Schema):
    """What shall become different; what is left out stays."""

    stable: VersionNumber | None = Field(
        default=None, description="Promote this version: it answers once it is AVAILABLE on every replica."
    )
    canary: VersionNumber | None = Field(default=None, description="null: no canary.")
    canary_share: float | None = Field(default=None, ge=0, le=1)
    shadow: VersionNumber | None = Field(default=None, description="null: no shadow.")
    shadow_share: float | None = Field(default=None, ge=0, le=1)
    pinned: list[VersionNumber] | None = Field(default=None, max_length=16)
    policy: Literal["follow-latest", "gated"] | None = None
    reason: Reason = None


class RollbackSchema(Schema):
    """Why."""

    reason: Reason = None


@router.get("/v1/models/{model}/rollout", summary="Show the rollout", responses=guarded_responses(404))
async def show_rollout(model: str, services: ControlDependency, _: PredictCaller) -> RolloutSchema:
    """The model's rollout, and the version that is on its way to be stable."""
    return shown(services.rollouts.model(model))


@router.put(
    "/v1/models/{model}/rollout",
    summary="Promote, set canary, shadow, pins or policy",
    responses=guarded_responses(404, 409, 422, 503),
)
async def change_rollout(
    model: str, body: RolloutChangeSchema, services: ControlDependency, caller: OperateCaller
) -> RolloutSchema:
    """Change what the body names. A version that is not loaded yet shows as `loading` until it answers."""
    given = body.model_fields_set
    change = RolloutChange(
        stable=body.stable if body.stable is not None else UNCHANGED,
        canary=body.canary if "canary" in given else UNCHANGED,
        canary_share=body.canary_share,
        shadow=body.shadow if "shadow" in given else UNCHANGED,
        shadow_share=body.shadow_share,
        pinned=tuple(body.pinned) if body.pinned is not None else None,
        policy=body.policy,
    )
    if body.stable is not None and body.reason is None:
        await _require_no_reason(services, model, body.stable)
    state = await services.rollouts.change(model, changed(change))
    detail = body.model_dump(exclude_unset=True, exclude={"reason"})
    await _record(services, caller, "rollout.change", state, detail, body.reason)
    return shown(state)


@router.post(
    "/v1/models/{model}/rollback",
    summary="Put stable back on its predecessor",
    responses=guarded_responses(404, 409, 422, 503),
)
async def roll_back(
    model: str, services: ControlDependency, caller: OperateCaller, body: RollbackSchema | None = None
) -> RolloutSchema:
    """One move, since the predecessor stayed loaded. The canary ends, and so does following by itself."""
    state = await services.rollouts.change(model, rolled_back)
    await _record(services, caller, "rollout.rollback", state, {}, body.reason if body else None)
    return shown(state)


async def _require_no_reason(services: ControlServices, model: str, version: int) -> None:
    """Against the gate's word a person may promote, and says why. Raises InvalidParameterError."""
    try:
        card = (await services.rollouts.card_of(model, version)).card
    except CardError:
        return  # the change itself says what is wrong with it
    if why := reason_to_wait(card):
        raise InvalidParameterError(f"version {version}: {why}; to promote it all the same, give a `reason`")


async def _record(
    services: ControlServices,
    caller: Caller,
    action: str,
    state: ModelState,
    detail: dict[str, Any],
    reason: str | None,
) -> None:
    after = state.rollout.model_dump(mode="json", include={"stable", "promoting", "canary", "canary_share"})
    await services.audit.record(caller, action, state.name, {"asked": detail, "after": after}, reason)


def shown(state: ModelState) -> RolloutSchema:
    """The rollout as the API shows it."""
    return RolloutSchema(
        rollout=state.rollout,
        loading=state.loading.version if state.loading else None,
        answering=sorted(state.answering),
        failed=state.failed,
        waiting=state.waiting,
        error=state.error or None,
    )
