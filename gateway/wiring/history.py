"""The database and the prediction history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from gateway.access.audit import AuditLog
from gateway.adapters.database.activity import SqlActivity
from gateway.adapters.database.audit import SqlAuditStore
from gateway.adapters.database.connection import Database
from gateway.adapters.database.history import SqlHistory
from gateway.adapters.database.labelling import SqlLabelling
from gateway.adapters.database.migration import migrate_if_needed
from gateway.adapters.pictures import FilePictureStore
from gateway.background import repeat, until_it_works
from gateway.errors import DatabaseError
from gateway.history.recorder import Recorder
from gateway.history.retention import Retention
from gateway.history.service import HistoryService
from gateway.labelling.service import LabellingService
from gateway.metrics import Metrics
from gateway.ports.history import History, PictureStore
from gateway.settings import Settings
from gateway.statistics.counter import ActivityCounter
from gateway.statistics.service import StatisticsService

RETENTION_SECONDS = 3600.0
ACTIVITY_SECONDS = 5.0
MIGRATION_SECONDS = 2.0
"""Between two attempts to migrate while the database is away."""


@dataclass(frozen=True)
class HistoryRoom:
    """What the API is given of the history."""

    service: HistoryService
    recorder: Recorder
    audit: AuditLog
    database: Database
    """For the other rooms that keep rows."""
    history: History
    pictures: PictureStore
    statistics: StatisticsService
    labelling: LabellingService
    is_migrated: asyncio.Event
    """Set when the tables are there."""


@asynccontextmanager
async def history_room(
    settings: Settings, metrics: Metrics, activity: ActivityCounter
) -> AsyncIterator[HistoryRoom]:
    """Connect, migrate, record; a database that is away keeps nobody from predicting."""
    database = Database(settings.database)
    history = SqlHistory(database)
    pictures = FilePictureStore(settings.stores.pictures)
    recorder = Recorder(history, pictures, settings.history, metrics)
    kept_days = settings.history.retention_days
    statistics = StatisticsService(activity, SqlActivity(database), history, kept_days)
    retention = Retention(history, pictures, settings.history)

    is_migrated = asyncio.Event()

    async def migrated() -> None:
        await asyncio.to_thread(migrate_if_needed, settings.database)

    async def begin() -> None:
        await until_it_works(migrated, MIGRATION_SECONDS, "migrating the database")
        is_migrated.set()
        recorder.start()
        flushing = asyncio.create_task(repeat(statistics.flush, ACTIVITY_SECONDS, "writing the activity"))
        followers.append(flushing)
        if settings.server.role != "predict":
            await repeat(retention.step, RETENTION_SECONDS, "history retention")

    followers = [asyncio.create_task(begin())]
    try:
        audit = AuditLog(SqlAuditStore(database), metrics)
        labelling = LabellingService(SqlLabelling(database), settings.history.labelling_days)
        service = HistoryService(history, pictures, settings.history, metrics)
        yield HistoryRoom(
            service, recorder, audit, database, history, pictures, statistics, labelling, is_migrated
        )
    finally:
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        with suppress(DatabaseError):
            await statistics.flush()
        await recorder.aclose()
        await database.aclose()
