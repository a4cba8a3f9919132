"""What is old goes: predictions by age, pictures by their bytes together. One process does it at a time."""

from __future__ import annotations

import asyncio
import logging

from contract.values import now
from gateway.ports.history import History, PictureStore
from gateway.settings import HistorySettings

log = logging.getLogger(__name__)

AT_ONCE = 1000
"""Rows in one transaction, so that writers wait for milliseconds only."""
MICROSECONDS_A_DAY = 86_400_000_000


class Retention:
    """Deletes in small steps."""

    def __init__(self, history: History, pictures: PictureStore, settings: HistorySettings) -> None:
        self._history = history
        self._pictures = pictures
        self._settings = settings

    async def step(self) -> None:
        """Delete everything that is beyond its bounds now. Raises DatabaseError."""
        age = int(self._settings.retention_days * MICROSECONDS_A_DAY)
        before = int(now().timestamp() * 1_000_000) - age
        rows = pictures = 0
        while count := await self._history.forget(before, AT_ONCE):
            rows += count
        keep = self._settings.retention_picture_bytes
        while surplus := await self._history.surplus_pictures(keep, AT_ONCE):
            await self._history.forget_pictures([sha256 for sha256, _ in surplus])
            for sha256, extension in surplus:
                await asyncio.to_thread(self._pictures.delete, sha256, extension)
            pictures += len(surplus)
        if rows or pictures:
            log.info("history retention", extra={"predictions": rows, "pictures": pictures})
