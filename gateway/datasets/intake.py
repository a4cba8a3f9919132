"""A spooled upload to its answer: a small one is imported while the caller waits, a large one later."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

from gateway.datasets.imports import ImportService
from gateway.datasets.ingest import Ingest, Order, Result
from gateway.datasets.ledger import IndexLedger
from gateway.datasets.spool import Spool, Spools
from gateway.errors import OverloadedError, RequestError
from gateway.metrics import Metrics
from gateway.ports.datasets import DatasetFiles, DatasetIndex, Import, Progress
from gateway.settings import DatasetSettings

SYNCHRONOUS_BYTES = 64 * 1024 * 1024
"""More is imported in the background, however few files it is: nobody's connection waits for minutes."""
AT_ONCE = 2
"""Uploads that are imported while their callers wait; others wait for them."""
UPLOADS = 8
"""Uploads that may arrive at the same time: each takes disk."""


class Intake:
    """Takes uploads. Lives on one event loop."""

    def __init__(
        self,
        index: DatasetIndex,
        files: DatasetFiles,
        imports: ImportService,
        spools: Spools,
        order: Order,
        settings: DatasetSettings,
        metrics: Metrics,
    ) -> None:
        self._index = index
        self._files = files
        self._imports = imports
        self._spools = spools
        self._order = order
        self._settings = settings
        self._metrics = metrics
        self._places = asyncio.Semaphore(AT_ONCE)
        self._arriving = 0

    def begin(self) -> Spool:
        """A spool to write an upload to; `end` it. Raises OverloadedError, DatasetStoreError."""
        if self._arriving >= UPLOADS:
            raise OverloadedError(f"{UPLOADS} uploads arrive already; try again in a moment")
        spool = self._spools.create(uuid4().hex)
        self._arriving += 1
        return spool

    async def end(self, spool: Spool, taken: Import | Result | None) -> None:
        """The upload was taken, or failed (None). Only an import still needs the spool."""
        self._arriving -= 1
        if not isinstance(taken, Import):
            await asyncio.to_thread(spool.remove)

    async def take(self, spool: Spool, dataset: str, caller: str) -> Import | Result:
        """Import a spooled upload, or queue it.

        Raises MalformedBodyError and TooLargeError when nothing of it could be imported, OverloadedError,
        DatabaseError, DatasetStoreError.
        """
        is_small, total = await asyncio.to_thread(self._survey, spool)
        if not is_small:
            return await self._imports.submit(spool, dataset, caller, total)
        async with self._places:
            loop = asyncio.get_running_loop()
            return await asyncio.to_thread(self._ingest, spool, dataset, caller, loop)

    def _survey(self, spool: Spool) -> tuple[bool, int | None]:
        """In a thread: whether it is imported at once, and the number of files if that is known."""
        most = self._settings.synchronous_files
        with spool.members(self._settings, self._order.limits.image_bytes) as members:
            if members.total is not None:
                size = spool.content.stat().st_size
                return members.total <= most and size <= SYNCHRONOUS_BYTES, members.total
            unpacked = 0
            with suppress(RequestError):  # it ends early: importing it will say where and why
                for count, member in enumerate(members, 1):
                    unpacked += member.size
                    if count > most or unpacked > SYNCHRONOUS_BYTES:
                        return False, None
        return True, None

    def _ingest(self, spool: Spool, dataset: str, caller: str, loop: asyncio.AbstractEventLoop) -> Result:
        order = replace(self._order, dataset=dataset, caller=caller, source="upload")
        ingest = Ingest(order, self._files, IndexLedger(self._index, loop), self._metrics)
        with spool.members(self._settings, order.limits.image_bytes) as members:
            return ingest.run(members, Progress(bytes_total=spool.content.stat().st_size))
