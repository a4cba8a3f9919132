"""The composition root: the only module that names concrete adapters, and where everything is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from gateway.adapters.discovery import Discovery
from gateway.adapters.filesystem import FileModelStore
from gateway.adapters.tfserving import TensorFlowServing
from gateway.api import models, openapi, operations, predictions, problems, rollout
from gateway.api.boundary import Boundary
from gateway.api.services import Services
from gateway.api.uploads import Uploads
from gateway.background import repeat
from gateway.batching import BatchQueue
from gateway.metrics import Metrics
from gateway.prediction import PredictionService
from gateway.replicas import Replicas
from gateway.rollout import RolloutService
from gateway.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The application, not yet started: its lifespan builds the services and closes them."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running_services(settings, metrics) as services:
            app.state.services = services
            yield

    app = openapi.describe(FastAPI(lifespan=lifespan, redoc_url=None))
    app.add_middleware(Boundary, metrics=metrics)
    problems.install(app)
    for resource in (predictions, models, rollout, operations):
        app.router.routes.extend(resource.router.routes)  # include_router would match each request twice
    return app


@asynccontextmanager
async def running_services(settings: Settings, metrics: Metrics) -> AsyncIterator[Services]:
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
        yield Services(prediction, rollouts, replicas, Uploads(limits, metrics), metrics)
    finally:
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        await replicas.aclose()
        prediction.close()


def rollout_service(settings: Settings, metrics: Metrics, replicas: Replicas) -> RolloutService:
    """The rollout service over the model store of the settings."""
    return RolloutService(
        FileModelStore(settings.stores.models),
        replicas.versions,
        metrics,
        server_path=settings.stores.server_path,
        load_timeout_seconds=settings.rollout.load_timeout_seconds,
    )
