"""Which files of routes each role of the process serves.

What parses strangers' pictures need not be what may start Jobs: `predict` has the predictions alone,
`control` everything else, `all` both.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api import (
    audit,
    canary,
    datasets,
    drift,
    embeddings,
    evaluation,
    history,
    imports,
    inference,
    inference_metadata,
    labelling,
    load_tests,
    models,
    operations,
    pages,
    predictions,
    rollout,
    run_logs,
    schedules,
    session,
    shadow,
    stats,
    training_runs,
    triggers,
)
from gateway.errors import OtherRoleError
from gateway.settings import ProcessRole

METRICS_PATH = "/metrics"

_PREDICT = (predictions, inference, inference_metadata)
_CONTROL = (
    *(history, stats, labelling, rollout, canary, shadow, drift, evaluation, embeddings, audit, load_tests),
    *(datasets, imports, training_runs, run_logs, schedules, triggers, pages),
)
_BOTH = (models, session, operations)


def routes_of(role: ProcessRole, *, has_metrics: bool = True) -> Iterator[BaseRoute]:
    """The routes of a role, the hottest first; then, for those of the other one, where they are served.

    Without `has_metrics`, /metrics is not among them: it has a port of its own.
    """
    own: dict[ProcessRole, tuple[ModuleType, ...]] = {
        "all": (*_PREDICT, *_CONTROL),
        "predict": _PREDICT,
        "control": _CONTROL,
    }
    for resource in (*own[role], *_BOTH):
        for route in resource.router.routes:
            if has_metrics or route.path != METRICS_PATH:
                yield route
    if role != "all":
        for resource in _CONTROL if role == "predict" else _PREDICT:
            for route in resource.router.routes:
                yield _elsewhere(route, "control" if role == "predict" else "predict")


def _elsewhere(route: APIRoute, other: str) -> Route:
    async def refuse(request: Request) -> Response:
        raise OtherRoleError(
            f"{request.method} {request.url.path[:200]} is served by the gateways of the role {other}, "
            "and this is none of them"
        )

    return Route(route.path, refuse, methods=sorted(route.methods or ()), include_in_schema=False)
