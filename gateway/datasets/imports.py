"""Large uploads in the background: one thread of lowered priority works them off, oldest first, and rests
in between (gateway.datasets.pace).

An import is a row and a spool folder. Whichever gateway takes its lease runs it, so one that a restart
interrupted goes on, here or elsewhere, behind the last batch that was written down.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from uuid import uuid4

from gateway.datasets.ingest import Ingest, Order, Result
from gateway.datasets.ledger import ImportLedger
from gateway.datasets.pace import Pace
from gateway.datasets.spool import Spool, Spools
from gateway.errors import ConflictError, GatewayError, OverloadedError, RequestError, UnknownNameError
from gateway.metrics import Metrics
from gateway.ports.datasets import DatasetFiles, DatasetIndex, Import, ImportStore, Progress
from gateway.ports.leases import Leases
from gateway.ports.moments import microseconds_now
from gateway.settings import DatasetSettings

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often to look for imports that another gateway has left."""
LEASE_SECONDS = 20.0
"""Renewed with every batch, which takes two seconds and one picture at most."""
UNFINISHED = 16
"""More may not wait: each holds its upload on disk."""
ABANDONED_SECONDS = 3600.0
"""A spool that nothing was written to for so long, and that no import needs, is what a death left."""
NICE = 19


class ImportService:
    """Takes, runs, shows and cancels imports. Lives on one event loop."""

    def __init__(
        self,
        imports: ImportStore,
        index: DatasetIndex,
        files: DatasetFiles,
        leases: Leases,
        spools: Spools,
        order: Order,
        settings: DatasetSettings,
        metrics: Metrics,
    ) -> None:
        self._imports = imports
        self._index = index
        self._files = files
        self._leases = leases
        self._spools = spools
        self._order = order
        self._settings = settings
        self._metrics = metrics
        self._holder = uuid4().hex
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="imports", initializer=_lower_priority)
        self._ending = threading.Event()
        self._wake = asyncio.Event()
        self._tidied_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with what is there."""
        self._wake.set()
        self._task = asyncio.create_task(self._work_on())

    async def aclose(self) -> None:
        """End after the picture in hand; the import goes on with the next start."""
        self._ending.set()
        self._wake.set()
        if self._task is not None:
            await self._task
        await asyncio.to_thread(self._thread.shutdown)

    async def submit(self, spool: Spool, dataset: str, caller: str, total: int | None) -> Import:
        """Take a spooled upload. Raises OverloadedError when too many wait."""
        if len(await self._imports.unfinished()) >= UNFINISHED:
            raise OverloadedError(
                f"{UNFINISHED} imports are waiting or running; try again when one has ended"
            )
        size = spool.content.stat().st_size
        progress = Progress(files_total=total, bytes_total=size)
        new = Import(spool.id, dataset, "queued", caller, microseconds_now(), None, progress)
        await self._imports.create(new)
        self._wake.set()
        return new

    async def find(self, import_id: str) -> Import:
        """One import with its report. Raises UnknownNameError."""
        found = await self._imports.find(import_id)
        if found is None:
            raise UnknownNameError(f"there is no import {import_id[:80]!r}; GET /v1/imports lists them")
        return found

    async def page(
        self, after: tuple[int, str] | None, limit: int
    ) -> tuple[Sequence[Import], tuple[int, str] | None]:
        """One page, newest first, and the cursor of the next."""
        rows = await self._imports.page(after, limit + 1)
        shown = rows[:limit]
        return shown, (shown[-1].created_at, shown[-1].id) if len(rows) > limit else None

    async def cancel(self, import_id: str) -> Import:
        """End it; what was imported stays. Raises UnknownNameError, ConflictError."""
        known = await self.find(import_id)
        if not await self._imports.end(import_id, "cancelled"):
            raise ConflictError(f"the import {import_id} has ended already: {known.state}")
        await asyncio.to_thread(self._spools.of(import_id).remove)
        return await self.find(import_id)

    async def check_idle(self, dataset: str) -> None:
        """Raises ConflictError while an import into the dataset waits or runs."""
        for one in await self._imports.unfinished():
            if one.dataset == dataset:
                raise ConflictError(
                    f"the import {one.id} writes to {dataset!r}; cancel it or wait for its end"
                )

    # --- the work -------------------------------------------------------------------------------

    async def _work_on(self) -> None:
        last_failure = ""
        while not self._ending.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._run_all()
                await self._tidy()
                last_failure = ""
            except Exception as error:
                failure = f"{type(error).__name__}: {error}"
                if failure != last_failure:
                    is_foreseen = isinstance(error, GatewayError | OSError)
                    log.error("imports are held up", extra={"reason": failure}, exc_info=not is_foreseen)
                last_failure = failure

    async def _run_all(self) -> None:
        for waiting in await self._imports.unfinished():
            lease = f"import:{waiting.id}"
            if self._ending.is_set() or not await self._leases.acquire(lease, self._holder, LEASE_SECONDS):
                continue
            try:
                now = await self.find(waiting.id)  # another may have ended it before its lease was free
                if not now.is_final:
                    await self._run(now, lease)
            finally:
                await self._leases.release(lease, self._holder)

    async def _run(self, waiting: Import, lease: str) -> None:
        """To its end, or until this gateway ends. Raises DatabaseError and DatasetStoreError: try again."""
        loop = asyncio.get_running_loop()
        spool = self._spools.of(waiting.id)
        keep_lease = lambda: self._leases.acquire(lease, self._holder, LEASE_SECONDS)  # noqa: E731
        ledger = ImportLedger(self._index, self._imports, waiting.id, loop, keep_lease)
        error: str | None = None
        try:
            result = await loop.run_in_executor(self._thread, self._ingest, waiting, spool, ledger)
            if not result.is_complete:
                return
            error = str(result.stopped) if result.stopped else None
        except FileNotFoundError:
            error = "the spooled upload is gone; send it again"
        except RequestError as refused:
            error = str(refused)
        except GatewayError:
            raise
        except Exception:
            log.exception("an import failed", extra={"import": waiting.id})
            error = "an unexpected error; the log has it"
        await self._imports.end(waiting.id, "failed" if error else "succeeded", error)
        await asyncio.to_thread(spool.remove)

    def _ingest(self, waiting: Import, spool: Spool, ledger: ImportLedger) -> Result:
        order = replace(self._order, dataset=waiting.dataset, caller=waiting.caller, source="import")
        pace = Pace(self._settings.upload_core_share)
        rest = lambda: self._ending.wait(pace.owed_seconds())  # noqa: E731
        ingest = Ingest(order, self._files, ledger, self._metrics, self._ending.is_set, rest)
        with spool.members(self._settings, order.limits.image_bytes) as members:
            return ingest.run(members, waiting.progress, waiting.report)

    async def _tidy(self) -> None:
        """Remove the spools that a death has left."""
        if monotonic() - self._tidied_at < ABANDONED_SECONDS / 6:
            return
        self._tidied_at = monotonic()
        abandoned = await asyncio.to_thread(self._spools.abandoned, ABANDONED_SECONDS)
        needed = {one.id for one in await self._imports.unfinished()} if abandoned else set()
        for spool in abandoned:
            if spool.id not in needed:
                await asyncio.to_thread(spool.remove)


def _lower_priority() -> None:
    """Predictions first. Linux alone sets the priority of one thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
