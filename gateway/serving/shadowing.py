"""Shadow: a copy of what stable answered goes to another version too, and the answers are compared.

Off the hot path: `offer` appends to a bounded list, one task works it off while no caller's images wait, and
what does not fit is dropped and counted. Nothing of it reaches a caller.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from contract import images
from gateway.errors import DatabaseError, GatewayError
from gateway.metrics import Metrics
from gateway.ports.moments import microseconds_now
from gateway.ports.serving import ServedVersion
from gateway.ports.shadows import Disagreement, ShadowCount, ShadowStore
from gateway.rollouts.service import RolloutService
from gateway.serving.pools import Pools
from gateway.serving.tickets import Answer

log = logging.getLogger(__name__)

WAITING_IMAGES = 256
"""Images that wait at most: a second of a busy gateway, and a few megabytes."""
DEADLINE_SECONDS = 5.0
STEP_ASIDE_SECONDS = 0.01
KEPT_DISAGREEMENTS = 1000
"""Between two writes; beyond it only counts."""
MICROSECONDS_A_MINUTE = 60_000_000


@dataclass(frozen=True, slots=True)
class Copied:
    """One picture that stable has answered."""

    id: str
    content: bytes
    """The picture as it came; empty where it came decoded."""
    image: bytes
    """As stable saw it."""
    row: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Offer:
    stable: ServedVersion
    shadow: ServedVersion
    pictures: Sequence[Copied]
    milliseconds: float


@dataclass(slots=True)
class _Sums:
    comparisons: int = 0
    difference: float = 0.0
    stable_milliseconds: float = 0.0
    shadow_milliseconds: float = 0.0
    failures: int = 0


Key = tuple[int, str, int, int, str, str]


class Shadowing:
    """Compares on one event loop; `flush` writes what was found."""

    def __init__(
        self,
        rollouts: RolloutService,
        pools: Pools,
        store: ShadowStore,
        metrics: Metrics,
        max_pixels: int,
    ) -> None:
        self._rollouts = rollouts
        self._pools = pools
        self._store = store
        self._metrics = metrics
        self._max_pixels = max_pixels
        self._offers: deque[_Offer] = deque()
        self._waiting = 0
        self._has_work = asyncio.Event()
        self._sums: dict[Key, _Sums] = defaultdict(_Sums)
        self._differing: list[Disagreement] = []

    def offer(self, stable: ServedVersion, pictures: Sequence[Copied], answer: Answer) -> None:
        """Take what stable has answered, if the model has a shadow and its share says so."""
        shadow = self._rollouts.shadow_of(stable.model)
        if shadow is None or not pictures:
            return
        share = self._rollouts.model(stable.model).rollout.shadow_share
        if random.random() >= share:  # noqa: S311
            return
        if self._waiting + len(pictures) > WAITING_IMAGES:
            self._metrics.shadow_images.labels(stable.model, "dropped").inc(len(pictures))
            return
        self._waiting += len(pictures)
        self._offers.append(_Offer(stable, shadow, pictures, answer.predict_seconds * 1000))
        self._has_work.set()

    async def work(self) -> None:
        """Compare until cancelled."""
        while True:
            await self._has_work.wait()
            if self._pools.queued_images:  # callers first
                await asyncio.sleep(STEP_ASIDE_SECONDS)
                continue
            offer = self._offers.popleft()
            if not self._offers:
                self._has_work.clear()
            try:
                await self._compare(offer)
            except Exception:
                log.exception("a shadow comparison failed unexpectedly")
            finally:
                self._waiting -= len(offer.pictures)

    async def _compare(self, offer: _Offer) -> None:
        model, count = offer.stable.model, len(offer.pictures)
        deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
        try:
            pixels = await self._pixels(offer)
            answer = await self._pools.submit(offer.shadow, pixels, deadline)
        except (GatewayError, images.ImageError) as error:
            log.debug("a shadow gave no answer", extra={"model": model, "reason": str(error)})
            self._metrics.shadow_images.labels(model, "failed").inc(count)
            self._sums_of(offer, "", "").failures += count
            return
        self._metrics.shadow_images.labels(model, "compared").inc(count)
        for picture, row in zip(offer.pictures, answer.rows, strict=True):
            self._note(offer, picture, row, answer.predict_seconds * 1000)

    async def _pixels(self, offer: _Offer) -> Sequence[bytes]:
        """As the shadow wants them: decoded anew where its size is another."""
        spec = offer.shadow.card.image
        if spec == offer.stable.card.image:
            return [picture.image for picture in offer.pictures]
        return await asyncio.to_thread(
            lambda: [images.decode(picture.content, spec, self._max_pixels) for picture in offer.pictures]
        )

    def _note(self, offer: _Offer, picture: Copied, row: Sequence[float], milliseconds: float) -> None:
        label, score = _best(offer.stable, picture.row)
        shadow_label, shadow_score = _best(offer.shadow, row)
        sums = self._sums_of(offer, label, shadow_label)
        sums.comparisons += 1
        sums.difference += abs(score - _score_of(offer.shadow, row, label))
        sums.stable_milliseconds += offer.milliseconds
        sums.shadow_milliseconds += milliseconds
        if label != shadow_label and len(self._differing) < KEPT_DISAGREEMENTS:
            self._differing.append(
                Disagreement(
                    prediction_id=picture.id,
                    at=microseconds_now(),
                    model=offer.stable.model,
                    stable=offer.stable.version,
                    shadow=offer.shadow.version,
                    label=label,
                    score=score,
                    shadow_label=shadow_label,
                    shadow_score=shadow_score,
                )
            )

    def _sums_of(self, offer: _Offer, label: str, shadow_label: str) -> _Sums:
        minute = microseconds_now() // MICROSECONDS_A_MINUTE
        versions = (offer.stable.version, offer.shadow.version)
        return self._sums[minute, offer.stable.model, *versions, label, shadow_label]

    async def flush(self) -> None:
        """Write what was found since the last time. Raises DatabaseError, and then keeps it."""
        sums, differing = self._sums, self._differing
        self._sums, self._differing = defaultdict(_Sums), []
        counts = [
            ShadowCount(
                *key,
                one.comparisons,
                one.difference,
                one.stable_milliseconds,
                one.shadow_milliseconds,
                one.failures,
            )
            for key, one in sorted(sums.items())
        ]
        try:
            await self._store.save(counts, differing)
        except DatabaseError:
            for key, one in self._sums.items():
                _add(sums[key], one)
            self._sums = sums
            self._differing = [*differing, *self._differing][:KEPT_DISAGREEMENTS]
            raise


def _add(sums: _Sums, more: _Sums) -> None:
    for name in _Sums.__slots__:
        setattr(sums, name, getattr(sums, name) + getattr(more, name))


def _best(served: ServedVersion, row: Sequence[float]) -> tuple[str, float]:
    place = max(range(len(row)), key=row.__getitem__)
    return served.card.labels[place], row[place]


def _score_of(served: ServedVersion, row: Sequence[float], label: str) -> float:
    """0 for a label that the version does not know."""
    labels = served.card.labels
    return row[labels.index(label)] if label in labels else 0.0
