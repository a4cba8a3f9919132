"""Predictions: the model servers, the queue before them, and the rollouts that say which version answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

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
from gateway.settings import Settings
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
    predictor = settings.predictor

    def rollout_of(model: str) -> Rollout | None:
        return rollouts.rollout_of(model)

    tally = Tally(rollout_of, settings.canary.slow_factor)
    certificates = CertificateFiles(predictor)

    def pool(targets: Sequence[str]) -> Pool:
        queue = BatchQueue(predictor.max_batch_images, predictor.max_queued_images, metrics)
        replicas = Replicas(
            Discovery(targets),
            lambda address: TensorFlowServing(address, certificates.current, tracing.headers),
            queue,
            metrics,
            in_flight=predictor.in_flight_per_replica,
            tracing=tracing,
            observer=tally,
        )
        return Pool(queue, replicas)

    by_model = {model: pool(targets) for model, targets in predictor.targets_by_model.items()}
    pools = Pools({model: one for model, one in by_model.items() if model is not None}, by_model.get(None))
    writing = writing_of(settings, database)
    store = FileModelStore(settings.stores.models)
    rollouts = RolloutService(
        store,
        pools.versions,
        metrics,
        server_path=settings.stores.server_path,
        load_timeout_seconds=settings.rollout.load_timeout_seconds,
        writing=writing,
    )
    limits, decode = settings.limits, settings.decode
    shadows = SqlShadows(database)
    shadowing = Shadowing(rollouts, pools, shadows, metrics, limits.image_pixels)
    watch = Watch(settings.drift, metrics, lambda: pools.queued_images > 0)
    prediction = PredictionService(rollouts, pools, metrics, predictor, limits, decode, shadowing, watch)
    trials, drift = SqlTrials(database), SqlDrift(database)

    async def report() -> None:
        await tally.flush(trials)

    async def report_drift() -> None:
        await watch.flush(drift)

    await (rollouts.refresh() if settings.server.role == "predict" else rollouts.begin())
    poll_seconds = settings.rollout.poll_seconds

    async def follow_replicas() -> None:
        await pools.resolve()
        if await asyncio.to_thread(certificates.have_changed):
            pools.reconnect()

    followers = [
        asyncio.create_task(repeat(follow_replicas, predictor.resolve_seconds, "resolving the replicas")),
        asyncio.create_task(repeat(rollouts.step, poll_seconds, "following the model store")),
        asyncio.create_task(
            repeat(Availability(rollouts, metrics).step, AVAILABILITY_SECONDS, "counting the replicas")
        ),
        asyncio.create_task(shadowing.work()),
        asyncio.create_task(repeat(shadowing.flush, FLUSH_SECONDS, "writing shadow comparisons")),
        asyncio.create_task(repeat(report, settings.canary.step_seconds, "writing evidence of canaries")),
        asyncio.create_task(watch.work()),
        asyncio.create_task(repeat(report_drift, DRIFT_SECONDS, "writing measurements of drift")),
    ]
    try:
        yield ServingRoom(prediction, rollouts, pools, shadows, store, writing, tally)
    finally:
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        for last in (shadowing.flush, report, report_drift):
            with suppress(DatabaseError):
                await last()
        await pools.aclose()
        prediction.close()
        if isinstance(writing, Leased):
            await writing.aclose()


def writing_of(settings: Settings, database: Database) -> Reader | Leased:
    """Predicting gateways never write rollouts; of the others one follows the store."""
    if settings.server.role == "predict":
        return Reader()
    return Leased(SqlLeases(database), holder_name(), settings.training.lease_seconds)
