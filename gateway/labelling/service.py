"""The labelling queue: the most useful predictions next, and what labelling has brought so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from contract.values import now
from gateway.errors import UnknownNameError
from gateway.labelling.diversity import Ranked, diverse, ranked
from gateway.ports.labelling import LabellingStore, Measure, Waiting

POOL = 8
"""Candidates looked at for each one that is wanted."""
COUNTED = 10_000
"""How many waiting ones are counted at most."""


@dataclass(frozen=True)
class Queue:
    """What to label next."""

    items: Sequence[Ranked]
    waiting: int
    """COUNTED stands for as many or more."""
    corrections: int
    """Feedback since the stable version was made: what the next training run can learn from."""


class LabellingService:
    """Over the history."""

    def __init__(self, store: LabellingStore, window_days: float) -> None:
        """`window_days`: older predictions are not offered."""
        self._store = store
        self._window = timedelta(days=window_days)

    async def queue(self, model: str, by: Measure, count: int, made_at: int) -> Queue:
        """The next `count`; `made_at`: when the stable version was made, microseconds since 1970."""
        since = int((now() - self._window).timestamp() * 1_000_000)
        waiting = Waiting(model, since)
        rows = await self._store.most_uncertain(waiting, by, POOL * count)
        return Queue(
            diverse(ranked(rows, by), count),
            await self._store.count(waiting, COUNTED),
            await self._store.corrections(model, made_at),
        )

    async def skip(self, prediction_id: str, caller: str) -> None:
        """Offer it to nobody any more. Raises UnknownNameError."""
        await self._put_aside(prediction_id, caller)

    async def unskip(self, prediction_id: str) -> None:
        """Offer it again. Raises UnknownNameError."""
        await self._put_aside(prediction_id, None)

    async def _put_aside(self, prediction_id: str, caller: str | None) -> None:
        if not await self._store.put_aside(prediction_id, caller):
            raise UnknownNameError(f"there is no prediction {prediction_id!r}; it may have been deleted")
