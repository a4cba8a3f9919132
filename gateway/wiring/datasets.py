"""Datasets: files, index, imports, and feedback that becomes examples."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from contract.layout import SplitShares
from gateway.adapters.database.connection import Database
from gateway.adapters.database.datasets import SqlDatasetIndex, SqlImports
from gateway.adapters.database.leases import SqlLeases
from gateway.adapters.database.migration import migrate
from gateway.adapters.datasets import FileDatasets
from gateway.datasets.feedback import FeedbackExamples
from gateway.datasets.imports import ImportService
from gateway.datasets.ingest import Order
from gateway.datasets.intake import Intake
from gateway.datasets.reindex import Reindexed, reindex
from gateway.datasets.service import DatasetService
from gateway.datasets.spool import Spools
from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.wiring.history import HistoryRoom

SPOOL = ".spool"
"""In the dataset store, hidden: on the same volume, so that a spooled upload survives this machine."""


@dataclass(frozen=True)
class DatasetRoom:
    """What the API is given of the datasets."""

    service: DatasetService
    intake: Intake
    imports: ImportService


@asynccontextmanager
async def dataset_room(
    settings: Settings, metrics: Metrics, remembered: HistoryRoom
) -> AsyncIterator[DatasetRoom]:
    """Build the services, go on with interrupted imports, and listen to feedback."""
    data, database = settings.stores.data, remembered.database
    index, files, spools = SqlDatasetIndex(database), FileDatasets(data), Spools(data / SPOOL)
    shares = SplitShares(settings.datasets.validation_share, settings.datasets.test_share)
    order = Order("", "", "upload", shares, settings.limits)
    imports = ImportService(
        SqlImports(database),
        index,
        files,
        SqlLeases(database),
        spools,
        order,
        settings.datasets,
        metrics,
    )
    intake = Intake(index, files, imports, spools, order, settings.datasets, metrics)
    service = DatasetService(index, files)
    remembered.service.tell(FeedbackExamples(service, remembered.history, remembered.pictures, shares))

    async def begin() -> None:
        await remembered.is_migrated.wait()
        imports.start()

    beginning = asyncio.create_task(begin())
    try:
        yield DatasetRoom(service, intake, imports)
    finally:
        beginning.cancel()
        await asyncio.gather(beginning, return_exceptions=True)
        await imports.aclose()


async def reindexed(settings: Settings) -> Reindexed:
    """Make the index again from the files: `python -m gateway reindex`. Migrates the database first."""
    migrate(settings.database)
    database = Database(settings.database)
    try:
        return await reindex(SqlDatasetIndex(database), FileDatasets(settings.stores.data))
    finally:
        await database.aclose()
