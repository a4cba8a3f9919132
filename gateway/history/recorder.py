"""Predictions on their way to the history, off the hot path and in batches.

`remember` only appends to a list. A task takes what has gathered, prepares it a few at a time (metadata
removed, hashed, summed up), and writes the files and then the rows in threads. While the database is away the
backlog grows to its bound; then the oldest are dropped, and counted: a prediction never fails, and never
waits, because of its history.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress

from contract.images import ImageError
from gateway.errors import DatabaseError, StoreError
from gateway.history.preparing import Remembered, file_of, row_of
from gateway.metrics import Metrics
from gateway.ports.history import History, PictureFile, PictureStore, PredictionRow
from gateway.settings import HistorySettings

log = logging.getLogger(__name__)

BATCH = 1000
"""Predictions in one transaction: 20 ms on SQLite, and small enough not to hold up its readers."""
YIELD_EVERY = 16
"""After so many predictions prepared on the event loop, requests have their turn."""
LONGEST_PAUSE_SECONDS = 2.0
"""Between two attempts while the database is away; what waits is written this soon after it is back."""
CLOSING_SECONDS = 5.0


class Recorder:
    """Collects predictions and writes them. Lives on one event loop."""

    def __init__(
        self, history: History, pictures: PictureStore, settings: HistorySettings, metrics: Metrics
    ) -> None:
        self._history = history
        self._pictures = pictures
        self._settings = settings
        self._metrics = metrics
        metrics.history_backlog_limit.set(settings.backlog_predictions if settings.enabled else 0)
        self._waiting: deque[Remembered] = deque()
        self._waiting_bytes = 0
        self._writing: list[Remembered] = []
        self._has_work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_failing = False

    @property
    def backlog(self) -> int:
        """Predictions that are not written yet."""
        return len(self._waiting) + len(self._writing)

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_on())

    def remember(self, prediction: Remembered) -> None:
        """Take one prediction; with `picture` None it has none, else the policy decides."""
        if not self._settings.enabled:
            return
        self._choose_picture(prediction)
        if self.backlog >= self._settings.backlog_predictions:
            if not self._waiting:  # all of it is being written
                self._metrics.history_dropped.inc()
                return
            self._waiting_bytes -= len(self._waiting.popleft().picture or b"")
            self._metrics.history_dropped.inc()
        self._waiting.append(prediction)
        self._waiting_bytes += len(prediction.picture or b"")
        self._has_work.set()

    def _choose_picture(self, prediction: Remembered) -> None:
        if prediction.picture is None:
            return
        if not self._wants_picture(prediction.scores):
            prediction.picture = None
        elif self._waiting_bytes + len(prediction.picture) > self._settings.backlog_bytes:
            prediction.picture = None
            self._metrics.history_pictures_dropped.inc()

    def _wants_picture(self, scores: Sequence[float]) -> bool:
        policy = self._settings.pictures
        if policy == "sampled":
            return random.random() < self._settings.sample_share  # noqa: S311
        return policy == "all" or (policy == "uncertain" and max(scores) < self._settings.uncertain_below)

    async def _write_on(self) -> None:
        pause = self._settings.flush_seconds
        while True:
            await self._has_work.wait()
            await asyncio.sleep(pause)
            is_well = await self._write_batch()
            longest = max(LONGEST_PAUSE_SECONDS, self._settings.flush_seconds)
            pause = self._settings.flush_seconds if is_well else min(pause * 2, longest)
            if is_well and len(self._waiting) >= BATCH:
                pause = 0.0

    async def _write_batch(self) -> bool:
        """Write the next batch; False when it must be tried again."""
        if not self._writing:
            self._writing = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._waiting_bytes -= sum(len(item.picture or b"") for item in self._writing)
        try:
            rows, files = await self._prepare(self._writing)
            await self._history.append(rows, files)
        except DatabaseError as error:
            if not self._is_failing:
                log.error("history cannot be written", extra={"reason": str(error)})
            self._is_failing = True
            return False
        except Exception:
            log.exception("a batch of the history was lost")
            self._metrics.history_dropped.inc(len(self._writing))
        else:
            if self._is_failing:
                log.info("history is written again", extra={"backlog": self.backlog})
            self._is_failing = False
            self._metrics.history_written.inc(len(self._writing))
        self._writing = []
        if not self._waiting:
            self._has_work.clear()
        self._metrics.history_backlog.set(self.backlog)
        return True

    async def _prepare(self, batch: Sequence[Remembered]) -> tuple[list[PredictionRow], list[PictureFile]]:
        """Rows for the database, and the pictures, each once, whose files are written here."""
        rows: list[PredictionRow] = []
        files: dict[str, PictureFile] = {}
        for number, item in enumerate(batch, start=1):
            file = await self._file_of(item.picture)
            if file is not None:
                files[file.sha256] = file
            rows.append(row_of(item, None if file is None else file.sha256))
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        if lost := await asyncio.to_thread(self._put, files.values()):
            self._metrics.history_pictures_dropped.inc(sum(row.picture in lost for row in rows))
            rows = [row._replace(picture=None) if row.picture in lost else row for row in rows]
        return rows, [file for file in files.values() if file.sha256 not in lost]

    async def _file_of(self, content: bytes | None) -> PictureFile | None:
        if content is None:
            return None
        try:
            return await file_of(content)
        except ImageError as error:
            log.warning("a picture is not kept", extra={"reason": str(error)})
            self._metrics.history_pictures_dropped.inc()
            return None

    def _put(self, files: Iterable[PictureFile]) -> set[str]:
        """In a thread: write the files; the hashes of those that could not be written."""
        lost = set()
        for file in files:
            try:
                self._pictures.put(file)
            except StoreError as error:
                log.warning("a picture is not kept", extra={"reason": str(error)})
                lost.add(file.sha256)
        return lost

    async def aclose(self) -> None:
        """Write what waits, for a bounded while; the rest is counted as dropped."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                while self.backlog and await self._write_batch():
                    pass
        if self.backlog:
            log.error("predictions are missing in the history", extra={"count": self.backlog})
            self._metrics.history_dropped.inc(self.backlog)
