"""Training runs and schedules, on the launcher of the settings."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.adapters.database.connection import Database
from gateway.adapters.database.leases import SqlLeases
from gateway.adapters.database.runs import SqlRuns
from gateway.adapters.database.schedules import SqlSchedules
from gateway.adapters.run_folders import FileRunFolders
from gateway.background import repeat
from gateway.metrics import Metrics
from gateway.ports.training import RunLimits, Runs, TrainingLauncher
from gateway.settings import Settings
from gateway.training.control import Control
from gateway.training.recovery import Recovery
from gateway.training.runs import TrainingService
from gateway.training.schedules import ScheduleService
from gateway.wiring.holder import holder_name


@dataclass(frozen=True)
class TrainingRoom:
    """What the API is given of training."""

    runs: TrainingService
    schedules: ScheduleService
    control: Control
    rows: Runs
    folders: FileRunFolders


@asynccontextmanager
async def training_room(
    settings: Settings, database: Database, is_migrated: asyncio.Event, metrics: Metrics
) -> AsyncIterator[TrainingRoom]:
    """Follow runs and schedules while the lease is held; children outlive this gateway."""
    folders = run_folders(settings)
    launcher = launcher_of(settings, folders)
    runs = SqlRuns(database)
    limits = RunLimits(settings.training.runs_per_day, settings.training.cooldown_seconds)
    training = TrainingService(runs, folders, launcher, limits)
    schedules = ScheduleService(SqlSchedules(database), training)
    recovery = Recovery(runs, folders, launcher, metrics)
    seconds = settings.training.lease_seconds
    control = Control(SqlLeases(database), holder_name(), seconds, recovery, schedules, metrics)

    async def follow() -> None:
        await is_migrated.wait()
        await repeat(control.step, settings.training.poll_seconds, "following training runs")

    task = asyncio.create_task(follow())
    try:
        yield TrainingRoom(training, schedules, control, runs, folders)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await control.aclose()


def run_folders(settings: Settings) -> FileRunFolders:
    """The runs' folders, and the stores as the trainer sees them."""
    stores, training = settings.stores, settings.training
    return FileRunFolders(
        stores.runs,
        stores.data,
        training.data_at_trainer or str(stores.data.absolute()),
        training.models_at_trainer or str(stores.models.absolute()),
        settings.gate.rule,
    )


def launcher_of(settings: Settings, folders: FileRunFolders) -> TrainingLauncher:
    """The launcher that the settings name. Raises ConfigurationError."""
    training = settings.training
    if training.launcher == "kubernetes":
        from gateway.adapters.launchers.kubernetes import KubernetesLauncher  # 46 MB, so only where used

        runs_at_trainer = training.runs_at_trainer or str(settings.stores.runs.absolute())
        return KubernetesLauncher(
            folders,
            training.cron_job,
            runs_at_trainer,
            training.kubernetes_namespace,
            training.kubernetes_timeout_seconds,
        )
    if training.launcher == "watch":
        from gateway.adapters.launchers.watch import WatchLauncher

        return WatchLauncher(folders)
    from gateway.adapters.launchers.process import ProcessLauncher

    return ProcessLauncher(folders, training.process_command or (sys.executable, "-m", "trainer"))
