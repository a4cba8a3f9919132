"""The latest remembered pictures as a version sees them, for a map of them. Embeddings are kept nowhere.

They are computed when somebody asks, from the pictures that the history keeps: through the same queue as
everybody's, only while no caller's images wait, and in a bounded number.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from contract import images
from gateway.errors import OverloadedError, UnknownNameError
from gateway.history.service import HistoryService
from gateway.ports.history import HistoryFilter, PredictionRow
from gateway.ports.serving import ServedVersion
from gateway.rollouts.routing import Address, as_asked
from gateway.rollouts.service import RolloutService
from gateway.serving.pools import Pools
from gateway.settings import EvaluationSettings, LimitSettings

MOST_PICTURES = 300
MOST_VALUES = 2**18
"""In one answer; a version with long embeddings gets fewer pictures."""
AT_ONCE = 32
STEP_ASIDE_SECONDS = 0.01
DIGITS = 4
"""Significant ones: a map shows no more, and the answer is half as long."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One remembered prediction, and its picture as the version sees it."""

    id: str
    embedding: Sequence[float]


class EmbeddingService:
    """One request at a time in each process."""

    def __init__(
        self,
        rollouts: RolloutService,
        queue: Pools,
        history: HistoryService,
        settings: EvaluationSettings,
        limits: LimitSettings,
    ) -> None:
        self._rollouts = rollouts
        self._queue = queue
        self._history = history
        self._batch_seconds = settings.batch_seconds
        self._max_pixels = limits.image_pixels
        self._is_running = False

    async def latest(self, model: str, version: int | None, limit: int) -> tuple[int, Sequence[Seen]]:
        """The version, stable where none is named, and what it sees, newest first.

        Raises GatewayError: NoEmbeddingError, UnknownVersionError, OverloadedError …
        """
        label = "stable" if version is None else None
        address = Address(label, version, wants_embedding=True)
        served = as_asked(self._rollouts.route(model, address).served, address)
        assert served.card.embedding is not None  # noqa: S101
        bound = max(1, MOST_VALUES // served.card.embedding.dimensions)
        async with self._place():
            rows, _ = await self._history.page(HistoryFilter(model=model), None, min(limit, bound))
            return served.version, await self._seen(served, [row for row in rows if row.picture])

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._is_running:
            raise OverloadedError("embeddings are being computed for another caller; try again in a moment")
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = False

    async def _seen(self, served: ServedVersion, rows: Sequence[PredictionRow]) -> Sequence[Seen]:
        """Each different picture is computed once."""
        first = {row.picture: row.id for row in rows}
        found: dict[str | None, Sequence[float]] = {}
        waiting = list(first.items())
        for start in range(0, len(waiting), AT_ONCE):
            decoded = {
                sha256: pixels
                for sha256, prediction in waiting[start : start + AT_ONCE]
                if (pixels := await self._pixels(served, prediction)) is not None
            }
            if decoded:
                embeddings = await self._ask(served, list(decoded.values()))
                found |= dict(zip(decoded, map(_shortened, embeddings), strict=True))
        return [Seen(row.id, found[row.picture]) for row in rows if row.picture in found]

    async def _pixels(self, served: ServedVersion, prediction: str) -> bytes | None:
        """None for a picture that was deleted meanwhile, or that this version's rule cannot take."""
        try:
            content, _ = await self._history.picture(prediction)
            return await asyncio.to_thread(images.decode, content, served.card.image, self._max_pixels)
        except (UnknownNameError, images.ImageError):
            return None

    async def _ask(self, served: ServedVersion, pixels: Sequence[bytes]) -> Sequence[Sequence[float]]:
        while self._queue.queued_images:  # noqa: ASYNC110  callers first
            await asyncio.sleep(STEP_ASIDE_SECONDS)
        deadline = asyncio.get_running_loop().time() + self._batch_seconds
        return (await self._queue.submit(served, pixels, deadline)).embeddings


def _shortened(embedding: Sequence[float]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in embedding]
