"""Which old versions leave the model store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.access.audit import AuditLog
from gateway.access.callers import GATEWAY
from gateway.background import repeat
from gateway.rollouts.retention import VersionRetention
from gateway.settings import RolloutSettings
from gateway.wiring.serving import ServingRoom

SECONDS = 60.0


@asynccontextmanager
async def version_retention(
    settings: RolloutSettings, serving: ServingRoom, audit: AuditLog
) -> AsyncIterator[None]:
    """Look once a minute."""

    async def note(model: str, version: int) -> None:
        reason = f"older than the newest {settings.keep_versions}, and nothing names it"
        await audit.record(GATEWAY, "version.delete", f"{model}/{version}", reason=reason)

    retention = VersionRetention(serving.store, serving.writing, settings.keep_versions, note)
    task = asyncio.create_task(repeat(retention.step, SECONDS, "retention of versions"))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
