"""For those who operate the gateway: probes, metrics, the front door, and the pages behind problems."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from gateway import metrics
from gateway.api import problems
from gateway.api.schemas import HealthSchema, ReadySchema, Schema, WelcomeSchema, problem_responses
from gateway.api.services import Services, ServicesDependency

router = APIRouter(tags=["operations"])


class ProblemKindSchema(Schema):
    """What a problem's `type` stands for."""

    code: str
    status: int
    title: str


@router.get("/", summary="Where to go")
async def welcome() -> WelcomeSchema:
    """The way to documentation, models and probes."""
    return WelcomeSchema(
        name="Rekindle gateway",
        documentation="/docs",
        links={"models": "/v1/models", "ready": "/readyz", "health": "/healthz", "metrics": "/metrics"},
    )


@router.get("/healthz", summary="Is the process alive?")
async def health() -> HealthSchema:
    """Answers as long as the event loop runs; says nothing about the model servers."""
    return HealthSchema()


@router.get(
    "/readyz",
    summary="Can predictions be answered?",
    response_model=ReadySchema,
    responses=problem_responses(503),
)
async def ready(request: Request, services: ServicesDependency) -> ReadySchema | Response:
    """Ready with at least one replica and one model; otherwise a problem whose `missing` says what is not."""
    replicas, models = services.replicas.states(), answering(services)
    missing = _missing(services, replicas, models)
    if not missing:
        return ReadySchema(replicas=replicas, models=models)
    detail = "; ".join(missing.values())
    return problems.response(
        request.scope, problems.NOT_READY, detail, missing=sorted(missing), replicas=replicas, models=models
    )


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def show_metrics(services: ServicesDependency) -> Response:
    """Every metric of this process in Prometheus' text format."""
    return Response(services.metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE})


@router.get("/errors/{code}", summary="What a problem means", responses=problem_responses(404))
async def show_problem_kind(code: str) -> ProblemKindSchema:
    """The page that a problem's `type` refers to."""
    kind = problems.ALL_KINDS.get(code)
    if kind is None:
        raise HTTPException(404, f"no problem has the code {code[:80]!r}")
    return ProblemKindSchema(code=kind.code, status=kind.status, title=kind.title)


def answering(services: Services) -> dict[str, int]:
    """The models whose stable version has been seen AVAILABLE."""
    return {
        state.name: state.served.version
        for state in services.rollouts.models()
        if state.served and not (state.loading and state.loading.version == state.served.version)
    }


def _missing(services: Services, replicas: dict[str, bool], models: dict[str, int]) -> dict[str, str]:
    missing: dict[str, str] = {}
    if services.lifecycle.is_draining:
        missing["process"] = "the gateway is shutting down"
    if not any(replicas.values()):
        missing["model_server"] = f"no model server answers ({', '.join(replicas) or 'none resolved'})"
    if not models:
        known = [state.name for state in services.rollouts.models()]
        missing["model"] = (
            f"no version is AVAILABLE yet of: {', '.join(known)}"
            if known
            else "the model store holds no model"
        )
    return missing
