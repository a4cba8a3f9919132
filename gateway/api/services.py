"""What the routes are given, as one typed object, and the alias by which a signature asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from gateway.access.audit import AuditLog
from gateway.access.guard import Guard
from gateway.api.idempotency import Answers
from gateway.api.spooling import Spooling
from gateway.api.uploads import Uploads
from gateway.canary.decider import Decider
from gateway.datasets.imports import ImportService
from gateway.datasets.intake import Intake
from gateway.datasets.service import DatasetService
from gateway.drift.service import DriftService
from gateway.evaluation.embeddings import EmbeddingService
from gateway.evaluation.service import EvaluationService
from gateway.history.recorder import Recorder
from gateway.history.service import HistoryService
from gateway.history.thumbnails import Thumbnails
from gateway.labelling.service import LabellingService
from gateway.metrics import Metrics
from gateway.ports.canary import Trials
from gateway.ports.shadows import ShadowStore
from gateway.rollouts.service import RolloutService
from gateway.serving.pools import Pools
from gateway.serving.prediction import PredictionService
from gateway.settings import Settings, StoreSettings
from gateway.statistics.service import StatisticsService
from gateway.training.overruling import Overruling
from gateway.training.runs import TrainingService
from gateway.training.schedules import ScheduleService
from gateway.training.triggers import Triggers


@dataclass
class Lifecycle:
    """Where the process stands between start and end."""

    is_draining: bool = False
    """Set on SIGTERM: requests are still answered, but no more should be sent here."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """The long-lived objects of every gateway process; built and closed by gateway.app."""

    prediction: PredictionService
    rollouts: RolloutService
    replicas: Pools
    recorder: Recorder
    guard: Guard
    uploads: Uploads
    answers: Answers
    stores: StoreSettings
    metrics: Metrics
    lifecycle: Lifecycle = field(default_factory=Lifecycle)


@dataclass(frozen=True, kw_only=True)
class ControlServices(Services):
    """And those of a process that does not only predict."""

    history: HistoryService
    thumbnails: Thumbnails
    statistics: StatisticsService
    labelling: LabellingService
    shadows: ShadowStore
    audit: AuditLog
    datasets: DatasetService
    intake: Intake
    imports: ImportService
    spooling: Spooling
    training: TrainingService
    overruling: Overruling
    schedules: ScheduleService
    trials: Trials
    decider: Decider
    drift: DriftService
    triggers: Triggers
    evaluation: EvaluationService
    embeddings: EmbeddingService
    settings: Settings


def services_of(request: Request) -> Services:
    """The services of the application that a request came to."""
    services: Services = request.app.state.services
    return services


async def _services(request: Request) -> Services:
    """The same as a coroutine: FastAPI would send a plain function to a thread on every request."""
    return services_of(request)


async def _control_services(request: Request) -> ControlServices:
    """The same for routes that gateway.api.resources gives to no predicting process."""
    services: ControlServices = request.app.state.services
    return services


ServicesDependency = Annotated[Services, Depends(_services)]
ControlDependency = Annotated[ControlServices, Depends(_control_services)]
