"""Feedback as data: a corrected prediction becomes an example of the dataset with the model's name."""

from __future__ import annotations

import asyncio
import logging

from contract import layout
from gateway.datasets.service import DatasetService
from gateway.errors import UnknownNameError
from gateway.ports.datasets import Example
from gateway.ports.history import History, PictureStore, PredictionRow
from gateway.ports.moments import microseconds_now

log = logging.getLogger(__name__)


class FeedbackExamples:
    """A gateway.ports.history.FeedbackListener."""

    def __init__(
        self, datasets: DatasetService, history: History, pictures: PictureStore, shares: layout.SplitShares
    ) -> None:
        self._datasets = datasets
        self._history = history
        self._pictures = pictures
        self._shares = shares

    async def __call__(self, row: PredictionRow, _: str | None = None) -> None:
        """Add, move or remove the example of a prediction whose feedback has just changed.

        An example that came another way stays as it is: whoever uploaded it said what it shows.
        """
        if row.picture is None:
            return
        known = await self._known(row.model, row.picture)
        if known is None:
            if row.feedback is not None:
                await self._add(row, row.picture, row.feedback)
        elif known.source != "feedback":
            if row.feedback not in (None, known.label):
                log.info(
                    "feedback contradicts an example", extra={"example": known.sha256, "is": known.label}
                )
        elif row.feedback is None:
            await self._datasets.delete(known)
        else:
            await self._datasets.relabel(row.model, row.picture, row.feedback)

    async def _known(self, dataset: str, sha256: str) -> Example | None:
        try:
            return await self._datasets.find(dataset, sha256)
        except UnknownNameError:
            return None

    async def _add(self, row: PredictionRow, sha256: str, label: str) -> None:
        extension = await self._history.extension_of(sha256)
        content = await asyncio.to_thread(self._pictures.get, sha256, extension) if extension else None
        if content is None or extension is None:
            return  # retention was faster
        example = Example(
            dataset=row.model,
            sha256=sha256,
            split=layout.split_of(sha256, self._shares),
            label=label,
            extension=extension,
            bytes=len(content),
            added_at=microseconds_now(),
            source="feedback",
            caller=row.feedback_by or "",
        )
        await self._datasets.add(example, content)
