"""The history as people use it: pages, one prediction with its picture, feedback, statistics."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from gateway.errors import GatewayError, UnknownNameError
from gateway.ids import age_seconds
from gateway.metrics import Metrics
from gateway.ports.history import (
    Cursor,
    FeedbackListener,
    History,
    HistoryFilter,
    PictureStore,
    PredictionRow,
    VersionAccuracy,
)
from gateway.settings import HistorySettings

log = logging.getLogger(__name__)

WRITING_SECONDS = 1.0
"""That a batch takes to be written, after it has gathered for `flush_seconds`; generously."""
FRESH_SECONDS = 3.0
"""For longer nobody is kept waiting, however long batches gather."""
FRESH_POLL_SECONDS = 0.05
CSV_PAGE = 1000
CSV_FIRST_PAGE = 100
"""The first page is small, so that a download begins at once."""
CSV_COLUMNS = (
    *("id", "at", "model", "version", "role", "label", "score", "margin", "entropy", "feedback"),
    *("filename", "caller", "request_id", "milliseconds", "picture"),
)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

MEDIA_TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "bmp": "image/bmp",
}


class HistoryService:
    """Reads the history and takes feedback. Every method raises DatabaseError when it cannot be asked."""

    def __init__(
        self, history: History, pictures: PictureStore, settings: HistorySettings, metrics: Metrics
    ) -> None:
        self._history = history
        self._pictures = pictures
        self._metrics = metrics
        longest = min(settings.flush_seconds + WRITING_SECONDS, FRESH_SECONDS)
        self._fresh_seconds = longest if settings.enabled else 0.0
        self._listeners: list[FeedbackListener] = []

    def tell(self, listener: FeedbackListener) -> None:
        """Call `listener` after every feedback from now on."""
        self._listeners.append(listener)

    async def page(
        self, wanted: HistoryFilter, after: Cursor | None, limit: int
    ) -> tuple[Sequence[PredictionRow], Cursor | None]:
        """One page, newest first, and the cursor of the next; None after the last."""
        rows = await self._history.page(wanted, after, limit + 1)
        shown = rows[:limit]
        return shown, (shown[-1].at, shown[-1].id) if len(rows) > limit else None

    async def find(self, prediction_id: str) -> PredictionRow:
        """One prediction. Raises UnknownNameError.

        Predictions are written a moment after their answer, by whichever gateway gave it; one that is that
        fresh is waited for, so that who was just given an id may use it.
        """
        row = await self._history.find(prediction_id)
        while row is None and abs(age_seconds(prediction_id)) < self._fresh_seconds:
            await asyncio.sleep(FRESH_POLL_SECONDS)
            row = await self._history.find(prediction_id)
        if row is None:
            raise UnknownNameError(
                f"there is no prediction {prediction_id[:80]!r}; it may not be written yet, or be too old"
            )
        return row

    async def kept(self, prediction_id: str) -> tuple[str, str]:
        """SHA-256 and file extension of the kept picture of a prediction. Raises UnknownNameError."""
        row = await self.find(prediction_id)
        extension = await self._history.extension_of(row.picture) if row.picture else None
        if row.picture is None or extension is None:
            raise UnknownNameError(f"the picture of the prediction {row.id} was not kept, or was deleted")
        return row.picture, extension

    async def picture(self, prediction_id: str) -> tuple[bytes, str]:
        """The kept picture of a prediction and its media type. Raises UnknownNameError."""
        sha256, extension = await self.kept(prediction_id)
        content = await asyncio.to_thread(self._pictures.get, sha256, extension)
        if content is None:
            raise UnknownNameError(f"the picture of the prediction {prediction_id} was deleted")
        return content, MEDIA_TYPES[extension]

    async def give_feedback(self, prediction_id: str, label: str | None, caller: str) -> PredictionRow:
        """Set the true label, or take it back with None. Raises UnknownNameError."""
        before = (await self.find(prediction_id)).feedback  # says why when there is none
        row = await self._history.give_feedback(prediction_id, label, caller)
        if row is None:
            return await self.find(prediction_id)
        if label is not None:
            is_right = "yes" if label == row.label else "no"
            self._metrics.feedback_given.labels(row.model, row.version, is_right).inc()
        await self._tell(row, before)
        return row

    async def _tell(self, row: PredictionRow, before: str | None) -> None:
        """The feedback is kept already, so a listener that fails takes nothing away."""
        for listener in self._listeners:
            try:
                await listener(row, before)
            except Exception as error:
                is_foreseen = isinstance(error, GatewayError)
                reason = f"{type(error).__name__}: {error}"
                told = {"prediction": row.id, "reason": reason}
                log.error("feedback was not passed on", extra=told, exc_info=not is_foreseen)

    async def delete_picture(self, sha256: str) -> bool:
        """Delete a kept picture; its predictions go on without it. False when there was none."""
        extension = await self._history.extension_of(sha256)
        if extension is None:
            return False
        await asyncio.to_thread(self._pictures.delete, sha256, extension)
        await self._history.forget_pictures([sha256])
        return True

    async def accuracies(self, model: str | None = None) -> Sequence[VersionAccuracy]:
        """Live accuracy: what people said about the answers of each version."""
        return await self._history.accuracies(model)

    async def csv(self, wanted: HistoryFilter) -> AsyncIterator[str]:
        """The predictions that match as CSV (RFC 4180), newest first, page by page.

        The first page is read before the first piece comes, so that an error can still be an answer.
        """
        after: Cursor | None = None
        limit = CSV_FIRST_PAGE
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(CSV_COLUMNS)
        while True:
            rows, after = await self.page(wanted, after, limit)
            limit = CSV_PAGE
            writer.writerows(_csv_row(row) for row in rows)
            yield text.getvalue()
            text.seek(0)
            text.truncate()
            if after is None:
                return


def _csv_row(row: PredictionRow) -> list[str]:
    values = [getattr(row, name) for name in CSV_COLUMNS]
    values[1] = datetime.fromtimestamp(row.at / 1_000_000, UTC).isoformat()
    return [
        _harmless(value) if isinstance(value, str) else "" if value is None else str(value)
        for value in values
    ]


def _harmless(text: str) -> str:
    """A spreadsheet takes what begins like a formula for one; an apostrophe makes it text again."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
