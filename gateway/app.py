"""The composition root: the only module that names concrete adapters, and where everything is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from gateway.access.guard import Guard
from gateway.adapters.discovery import Discovery
from gateway.adapters.filesystem import FileModelStore
from gateway.adapters.tfserving import TensorFlowServing
from gateway.api import (
    audit,
    datasets,
    history,
    imports,
    inference,
    inference_metadata,
    models,
    openapi,
    operations,
    predictions,
    problems,
    rollout,
    run_logs,
    schedules,
    session,
    training_runs,
)
from gateway.api.boundary import Boundary
from gateway.api.protection import Protection
from gateway.api.services import Services
from gateway.api.spooling import Spooling
from gateway.api.uploads import Uploads
from gateway.background import repeat
from gateway.metrics import Metrics
from gateway.rollouts.service import RolloutService
from gateway.serving.batching import BatchQueue
from gateway.serving.prediction import PredictionService
from gateway.serving.replicas import Replicas
from gateway.settings import AccessSettings, Settings
from gateway.wiring.datasets import dataset_room
from gateway.wiring.history import history_room
from gateway.wiring.training import training_room

RESOURCES = (
    *(predictions, history, models, rollout, audit, inference, inference_metadata),
    *(datasets, imports, training_runs, run_logs, schedules),
    *(session, operations),
)
"""Every file of routes; the hottest first."""


def create_app(settings: Settings) -> FastAPI:
    """The application, not yet started: its lifespan builds the services and closes them."""
    metrics = Metrics()
    guard = Guard(settings.access, settings.server)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running_services(settings, metrics, guard) as services:
            app.state.services = services
            yield

    app = openapi.describe(FastAPI(lifespan=lifespan, redoc_url=None))
    app.add_middleware(Protection, guard=guard)
    if settings.access.cors_origins:
        app.add_middleware(CORSMiddleware, **_cors(settings.access))
    app.add_middleware(Boundary, metrics=metrics)
    problems.install(app)
    for resource in RESOURCES:
        app.router.routes.extend(resource.router.routes)  # include_router would match each request twice
    return app


@asynccontextmanager
async def running_services(settings: Settings, metrics: Metrics, guard: Guard) -> AsyncIterator[Services]:
    """Build the services in the order of their needs, follow store and replicas, close in reverse."""
    predictor, limits = settings.predictor, settings.limits
    queue = BatchQueue(predictor.max_batch_images, predictor.max_queued_images, metrics)
    replicas = Replicas(
        Discovery(predictor.targets),
        TensorFlowServing,
        queue,
        metrics,
        in_flight=predictor.in_flight_per_replica,
    )
    rollouts = rollout_service(settings, metrics, replicas)
    prediction = PredictionService(rollouts, queue, replicas, metrics, predictor, limits, settings.decode)
    await rollouts.refresh()  # the first request already knows the models
    followers = [
        asyncio.create_task(repeat(replicas.resolve, predictor.resolve_seconds, "resolving the replicas")),
        asyncio.create_task(
            repeat(rollouts.step, settings.rollout.poll_seconds, "following the model store")
        ),
    ]
    try:
        async with (
            history_room(settings, metrics) as remembered,
            dataset_room(settings, metrics, remembered) as labelled,
            training_room(settings, remembered.database, remembered.is_migrated, metrics) as training,
        ):
            yield Services(
                prediction=prediction,
                history=remembered.service,
                recorder=remembered.recorder,
                audit=remembered.audit,
                datasets=labelled.service,
                intake=labelled.intake,
                imports=labelled.imports,
                training=training.runs,
                schedules=training.schedules,
                guard=guard,
                rollouts=rollouts,
                replicas=replicas,
                uploads=Uploads(limits, metrics),
                spooling=Spooling(settings.datasets, limits),
                metrics=metrics,
            )
    finally:
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        await replicas.aclose()
        prediction.close()


def _cors(access: AccessSettings) -> dict[str, Any]:
    return {
        "allow_origins": list(access.cors_origins),
        "allow_methods": ["GET", "POST", "PUT", "DELETE"],
        "allow_headers": ["Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id"],
        "expose_headers": ["X-Request-Id", "Retry-After", "Location"],
    }


def rollout_service(settings: Settings, metrics: Metrics, replicas: Replicas) -> RolloutService:
    """The rollout service over the model store of the settings."""
    return RolloutService(
        FileModelStore(settings.stores.models),
        replicas.versions,
        metrics,
        server_path=settings.stores.server_path,
        load_timeout_seconds=settings.rollout.load_timeout_seconds,
    )
