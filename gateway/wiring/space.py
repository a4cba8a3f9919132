"""How full the file systems of the stores are, for the metrics and the alerts on them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.background import repeat
from gateway.metrics import Metrics
from gateway.settings import Settings

SECONDS = 30.0
"""Between two looks. Each is made in a thread: a volume on the network may hang."""


@asynccontextmanager
async def space_watched(settings: Settings, metrics: Metrics) -> AsyncIterator[None]:
    """Measure until the end."""
    stores = _stores(settings)

    async def measure() -> None:
        for name, folder in stores.items():
            await asyncio.to_thread(_measure, name, folder, metrics)

    task = asyncio.create_task(repeat(measure, SECONDS, "measuring the stores"))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _stores(settings: Settings) -> dict[str, Path]:
    """A predicting gateway has no data and no runs."""
    stores = settings.stores
    models = {"models": stores.models}
    if settings.server.role == "predict":
        return models
    return {**models, "data": stores.data, "runs": stores.runs, "pictures": stores.pictures}


def _measure(name: str, folder: Path, metrics: Metrics) -> None:
    """A store that nobody has written to yet has no folder: its parent's file system will hold it."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    usage = shutil.disk_usage(there)
    metrics.store_bytes.labels(name).set(usage.used + usage.free)
    metrics.store_free_bytes.labels(name).set(usage.free)
