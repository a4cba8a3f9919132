"""What the gateway does by itself while it serves: judges canaries and drift, starts runs, tells of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.adapters.database.drift import SqlDrift
from gateway.adapters.database.trials import SqlTrials
from gateway.canary.decider import Decider
from gateway.drift.service import DriftService
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.notifications.notifier import Delivery, Notifier
from gateway.ports.canary import Trials
from gateway.settings import NotificationSettings, Settings
from gateway.training.triggers import Triggers
from gateway.wiring.history import HistoryRoom
from gateway.wiring.serving import ServingRoom
from gateway.wiring.training import TrainingRoom


@dataclass(frozen=True)
class LearningRoom:
    """What the API is given of it."""

    trials: Trials
    decider: Decider
    drift: DriftService
    triggers: Triggers


@asynccontextmanager
async def learning_room(
    settings: Settings,
    metrics: Metrics,
    remembered: HistoryRoom,
    serving: ServingRoom,
    training: TrainingRoom,
) -> AsyncIterator[LearningRoom]:
    """Join the steps that the holder of the control lease takes."""
    notifications = settings.notifications
    notifier = Notifier(delivery_of(notifications), notifications.secret, notifications.queued, metrics)
    audit, rollouts = remembered.audit, serving.rollouts
    trials = SqlTrials(remembered.database)
    decider = Decider(rollouts, trials, training.rows, audit, notifier, metrics, settings.canary)
    drift = DriftService(rollouts, SqlDrift(remembered.database), audit, notifier, metrics, settings.drift)

    async def drift_since(model: str) -> int | None:
        try:
            return await drift.alarmed_since(model)
        except GatewayError:  # nothing answers, so nothing drifts
            return None

    def models() -> list[str]:
        return [state.name for state in rollouts.models()]

    triggers = Triggers(
        training.runs, training.rows, models, drift_since, audit, notifier, metrics, settings.triggers
    )
    remembered.service.tell(serving.tally.feedback)
    for step in (decider.step, drift.step, triggers.step):
        training.control.also(step)
    delivering = asyncio.create_task(notifier.work())
    try:
        yield LearningRoom(trials, decider, drift, triggers)
    finally:
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)
        await notifier.aclose()


def delivery_of(settings: NotificationSettings) -> Delivery | None:
    """The webhook, where one is configured."""
    if settings.url is None:
        return None
    from gateway.adapters.webhook import Webhook  # httpx costs memory, so only where used

    return Webhook(settings)
