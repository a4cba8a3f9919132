"""Predictions: the model servers, the queue before them, and the rollouts that say which version answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from contract.rollout import Rollout
from gateway.adapters.certificates import CertificateFiles
from gateway.adapters.database.connection import Database
from gateway.adapters.database.drift import SqlDrift
from gateway.adapters.database.leases import SqlLeases
from gateway.adapters.database.shadows import SqlShadows
from gateway.adapters.database.trials import SqlTrials
from gateway.adapters.discovery import Discovery
from gateway.adapters.filesystem import FileModelStore
from gateway.adapters.tfserving import TensorFlowServing
from gateway.background import repeat
from gateway.canary.tally import Tally
from gateway.drift.watch import Watch
from gateway.errors import DatabaseError
from gateway.metrics import Metrics
from gateway.ports.canary import Observer
from gateway.ports.shadows import ShadowStore
from gateway.ports.store import ModelStore
from gateway.ports.tracing import Tracing
from gateway.rollouts.availability import Availability
from gateway.rollouts.service import RolloutService
from gateway.rollouts.writing import Leased, Reader
from gateway.serving.batching import BatchQueue
from gateway.serving.pools import Pool, Pools
from gateway.serving.prediction import PredictionService
from gateway.serving.replicas import Replicas
from gateway.serving.shadowing import Shadowing
from gateway.settings import PredictorSettings, Settings
from gateway.wiring.holder import holder_name

FLUSH_SECONDS = 5.0
DRIFT_SECONDS = 2.0
AVAILABILITY_SECONDS = 5.0
"""Between two questions to the replicas for the metrics: well below the usual scrape interval of 15 s."""


@dataclass(frozen=True)
class ServingRoom:
    """What the API is given of predictions."""

    prediction: PredictionService
    rollouts: RolloutService
    replicas: Pools
    shadows: ShadowStore
    store: ModelStore
    writing: Reader | Leased
    tally: Tally


@asynccontextmanager
async def serving_room(
    settings: Settings, metrics: Metrics, database: Database, tracing: Tracing
) -> AsyncIterator[ServingRoom]:
    """Know the models before the first request; follow store and replicas until the end."""
    predictor, limits = settings.predictor, settings.limits

    def rollout_of(model: str) -> Rollout | None:
        return rollouts.rollout_of(model)

    tally = Tally(rollout_of, settings.canary.slow_factor)
    certificates = CertificateFiles(predictor)
    pools = _pools_of(predictor, metrics, tracing, certificates, tally)
    store, writing = FileModelStore(settings.stores.models), writing_of(settings, database)
    rollouts = RolloutService(
        store,
        pools.versions,
        metrics,
        server_path=settings.stores.server_path,
        load_timeout_seconds=settings.rollout.load_timeout_seconds,
        writing=writing,
    )
    shadows = SqlShadows(database)
    shadowing = Shadowing(rollouts, pools, shadows, metrics, limits.image_pixels)
    watch = Watch(settings.drift, metrics, lambda: pools.queued_images > 0)
    prediction = PredictionService(
        rollouts, pools, metrics, predictor, limits, settings.decode, shadowing, watch
    )
    report, report_drift = partial(tally.flush, SqlTrials(database)), partial(watch.flush, SqlDrift(database))
    await (rollouts.refresh() if settings.server.role == "predict" else rollouts.begin())
    steps: list[tuple[Callable[[], Awaitable[None]], float, str]] = [
        (partial(_follow, pools, certificates), predictor.resolve_seconds, "resolving the replicas"),
        (rollouts.step, settings.rollout.poll_seconds, "following the model store"),
        (Availability(rollouts, metrics).step, AVAILABILITY_SECONDS, "counting the replicas"),
        (shadowing.flush, FLUSH_SECONDS, "writing shadow comparisons"),
        (report, settings.canary.step_seconds, "writing evidence of canaries"),
        (report_drift, DRIFT_SECONDS, "writing measurements of drift"),
    ]
    try:
        async with _at_work([*(repeat(*step) for step in steps), shadowing.work(), watch.work()]):
            yield ServingRoom(prediction, rollouts, pools, shadows, store, writing, tally)
    finally:
        for last in (shadowing.flush, report, report_drift):
            with suppress(DatabaseError):
                await last()
        await pools.aclose()
        prediction.close()
        if isinstance(writing, Leased):
            await writing.aclose()


def _pools_of(
    predictor: PredictorSettings,
    metrics: Metrics,
    tracing: Tracing,
    certificates: CertificateFiles,
    observer: Observer,
) -> Pools:
    """Each model's own servers, and those of every other model; not yet resolved."""

    def pool(targets: Sequence[str]) -> Pool:
        queue = BatchQueue(predictor.max_batch_images, predictor.max_queued_images, metrics)
        replicas = Replicas(
            Discovery(targets),
            lambda address: TensorFlowServing(address, certificates.current, tracing.headers),
            queue,
            metrics,
            in_flight=predictor.in_flight_per_replica,
            tracing=tracing,
            observer=observer,
        )
        return Pool(queue, replicas)

    by_model = {model: pool(targets) for model, targets in predictor.targets_by_model.items()}
    return Pools({model: one for model, one in by_model.items() if model is not None}, by_model.get(None))


async def _follow(pools: Pools, certificates: CertificateFiles) -> None:
    """Who the replicas are now; new certificates need new connections."""
    await pools.resolve()
    if await asyncio.to_thread(certificates.have_changed):
        pools.reconnect()


@asynccontextmanager
async def _at_work(followers: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Each in a task of its own, until the context ends."""
    tasks = [asyncio.create_task(follower) for follower in followers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def writing_of(settings: Settings, database: Database) -> Reader | Leased:
    """Predicting gateways never write rollouts; of the others one follows the store."""
    if settings.server.role == "predict":
        return Reader()
    return Leased(SqlLeases(database), holder_name(), settings.training.lease_seconds)
