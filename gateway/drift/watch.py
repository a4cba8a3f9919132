"""Measures live pictures off the hot path: `offer` appends to a bounded list, one task works it off.

It steps aside while callers' images wait, and measures only so many a second; what does not fit is dropped
and counted. Blocks are small, so that windows of several gateways together end where they should.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from contract import images
from gateway.drift.sums import features_of_picture, summed
from gateway.metrics import Metrics
from gateway.ports.drift import Block, DriftStore, Measured
from gateway.ports.moments import microseconds_now
from gateway.ports.serving import ServedVersion
from gateway.settings import DriftSettings

log = logging.getLogger(__name__)

WAITING_IMAGES = 512
BLOCK = 50
"""Predictions in one block at most."""
UNSAVED_BLOCKS = 400
"""That wait for a database which is away: 20,000 predictions. Then the oldest go."""
STEP_ASIDE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class _Offer:
    served: ServedVersion
    image: bytes
    row: Sequence[float]


class Watch:
    """Lives on one event loop. A gateway.ports.drift.Watcher."""

    def __init__(
        self,
        settings: DriftSettings,
        metrics: Metrics,
        is_busy: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._is_busy = is_busy
        self._clock = clock
        self._allowed = settings.images_per_second
        self._allowed_at = clock()
        self._offers: deque[_Offer] = deque()
        self._has_work = asyncio.Event()
        self._measured: dict[tuple[str, int], list[Measured]] = {}
        self._unsaved: deque[Block] = deque(maxlen=UNSAVED_BLOCKS)

    def offer(self, served: ServedVersion, pixels: Sequence[bytes], rows: Sequence[Sequence[float]]) -> None:
        """Take what stable has answered."""
        if not self._settings.enabled or served.card.reference is None:
            return
        taken = min(len(pixels), self._room())
        self._allowed -= taken
        for image, row in zip(pixels[:taken], rows[:taken], strict=True):
            self._offers.append(_Offer(served, image, row))
        if taken:
            self._has_work.set()
        if taken < len(pixels):
            self._metrics.drift_images.labels(served.model, "dropped").inc(len(pixels) - taken)

    def _room(self) -> int:
        """How many more may be taken: at most a second's worth at once, and no more than may wait."""
        now, rate = self._clock(), self._settings.images_per_second
        self._allowed = min(max(rate, 1.0), self._allowed + (now - self._allowed_at) * rate)
        self._allowed_at = now
        return max(0, min(int(self._allowed), WAITING_IMAGES - len(self._offers)))

    async def work(self) -> None:
        """Measure until cancelled."""
        while True:
            await self._has_work.wait()
            if self._is_busy():
                await asyncio.sleep(STEP_ASIDE_SECONDS)
                continue
            self._measure(self._offers.popleft())
            if not self._offers:
                self._has_work.clear()
            await asyncio.sleep(0)

    def _measure(self, offer: _Offer) -> None:
        card = offer.served.card
        try:
            found = images.statistics_of(offer.image, card.image.height, card.image.width)
        except ValueError:
            log.exception("a picture could not be measured")
            return
        best = max(range(len(offer.row)), key=offer.row.__getitem__)
        one = Measured(card.labels[best], offer.row[best], features_of_picture(found))
        self._metrics.drift_images.labels(offer.served.model, "measured").inc()
        gathered = self._measured.setdefault((offer.served.model, offer.served.version), [])
        gathered.append(one)
        if len(gathered) >= BLOCK:
            self._close_block(offer.served.model, offer.served.version)

    def _close_block(self, model: str, version: int) -> None:
        gathered = self._measured.pop((model, version))
        self._unsaved.append(Block(uuid4().hex, microseconds_now(), model, version, summed(gathered)))

    async def flush(self, store: DriftStore) -> None:
        """Write what was measured. Raises DatabaseError, and then keeps it."""
        for model, version in list(self._measured):
            self._close_block(model, version)
        saving = list(self._unsaved)
        if saving:
            await store.save(saving)
            gone = {block.id for block in saving}
            kept = [block for block in self._unsaved if block.id not in gone]
            self._unsaved.clear()
            self._unsaved.extend(kept)
