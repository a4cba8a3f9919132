"""The composition root: which rooms a process has, by its role; each is built in gateway.wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from gateway.access.guard import Guard
from gateway.api import openapi, problems
from gateway.api.boundary import Boundary
from gateway.api.idempotency import Answers
from gateway.api.packing import Packing
from gateway.api.protection import PROBES, Protection
from gateway.api.resources import routes_of
from gateway.api.services import ControlServices, Services
from gateway.api.spooling import Spooling
from gateway.api.uploads import Uploads
from gateway.metrics import Metrics
from gateway.ports.tracing import Tracing
from gateway.settings import AccessSettings, Settings
from gateway.statistics.counter import ActivityCounter
from gateway.wiring.history import HistoryRoom, history_room
from gateway.wiring.holder import holder_name
from gateway.wiring.serving import ServingRoom, serving_room
from gateway.wiring.space import space_watched
from gateway.wiring.tracing import tracing_of


def create_app(settings: Settings) -> FastAPI:
    """The application, not yet started: its lifespan builds the services and closes them."""
    metrics, activity = Metrics(), ActivityCounter(holder_name())
    guard, tracing = Guard(settings.access, settings.server), tracing_of(PROBES)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with running_services(settings, metrics, guard, activity, tracing) as services:
                app.state.services = services
                yield
        finally:
            tracing.close()

    app = openapi.describe(FastAPI(lifespan=lifespan, redoc_url=None, telemetry=tracing.of_requests))
    app.state.metrics = metrics
    app.add_middleware(Packing)
    app.add_middleware(Protection, guard=guard, at_once=settings.limits.requests_at_once)
    if settings.access.cors_origins:
        app.add_middleware(CORSMiddleware, **_cors(settings.access))
    app.add_middleware(Boundary, metrics=metrics, activity=activity)
    problems.install(app)
    has_metrics = settings.server.metrics_port is None
    # include_router would match each request twice
    app.router.routes.extend(routes_of(settings.server.role, has_metrics=has_metrics))
    return app


@asynccontextmanager
async def running_services(
    settings: Settings, metrics: Metrics, guard: Guard, activity: ActivityCounter, tracing: Tracing
) -> AsyncIterator[Services]:
    """Build the rooms of the role in the order of their needs; close them in reverse."""
    async with AsyncExitStack() as rooms:
        await rooms.enter_async_context(space_watched(settings, metrics))
        remembered = await rooms.enter_async_context(history_room(settings, metrics, activity))
        serving = await rooms.enter_async_context(
            serving_room(settings, metrics, remembered.database, tracing)
        )
        services = Services(
            prediction=serving.prediction,
            rollouts=serving.rollouts,
            replicas=serving.replicas,
            recorder=remembered.recorder,
            guard=guard,
            uploads=Uploads(settings.limits, metrics),
            answers=Answers(settings.limits.idempotency_seconds),
            stores=settings.stores,
            metrics=metrics,
        )
        if settings.server.role != "predict":
            services = await _with_control(services, settings, rooms, remembered, serving)
        yield services


async def _with_control(
    services: Services,
    settings: Settings,
    rooms: AsyncExitStack,
    remembered: HistoryRoom,
    serving: ServingRoom,
) -> ControlServices:
    """The rooms that a predicting process neither has nor imports."""
    from gateway.evaluation.embeddings import EmbeddingService
    from gateway.evaluation.service import EvaluationService
    from gateway.history.thumbnails import Thumbnails
    from gateway.training.overruling import Overruling
    from gateway.wiring.datasets import dataset_room
    from gateway.wiring.learning import learning_room
    from gateway.wiring.retention import version_retention
    from gateway.wiring.training import training_room

    metrics, database = services.metrics, remembered.database
    labelled = await rooms.enter_async_context(dataset_room(settings, metrics, remembered))
    training = await rooms.enter_async_context(
        training_room(settings, database, remembered.is_migrated, metrics)
    )
    await rooms.enter_async_context(version_retention(settings.rollout, serving, remembered.audit))
    learning = await rooms.enter_async_context(
        learning_room(settings, metrics, remembered, serving, training)
    )
    return ControlServices(
        **{each.name: getattr(services, each.name) for each in fields(services)},
        history=remembered.service,
        thumbnails=Thumbnails(settings.limits.image_pixels),
        statistics=remembered.statistics,
        labelling=remembered.labelling,
        shadows=serving.shadows,
        audit=remembered.audit,
        datasets=labelled.service,
        intake=labelled.intake,
        imports=labelled.imports,
        spooling=Spooling(settings.datasets, settings.limits),
        training=training.runs,
        overruling=Overruling(training.runs, training.folders, serving.store),
        schedules=training.schedules,
        trials=learning.trials,
        decider=learning.decider,
        drift=learning.drift,
        triggers=learning.triggers,
        evaluation=EvaluationService(
            services.rollouts, serving.replicas, settings.evaluation, settings.limits
        ),
        embeddings=EmbeddingService(
            services.rollouts,
            serving.replicas,
            remembered.service,
            settings.evaluation,
            settings.limits,
        ),
        settings=settings,
    )


def _cors(access: AccessSettings) -> dict[str, Any]:
    return {
        "allow_origins": list(access.cors_origins),
        "allow_methods": ["GET", "POST", "PUT", "DELETE"],
        "allow_headers": ["Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id"],
        "expose_headers": ["X-Request-Id", "Retry-After", "Location"],
    }
