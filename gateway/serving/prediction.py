"""The whole prediction on one page: pictures → decoded images → scores → ranked classifications.

Transport-free: HTTP is gateway.api's business, gRPC the adapter's. A picture that cannot be decoded
fails alone; the rest are answered.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from contract import images
from contract.records import ImageSpec
from gateway.errors import (
    DeadlineError,
    NotAPictureError,
    NoVersionError,
    ReplicaRejectedError,
    RequestError,
    TooLargeError,
    VersionNotServedError,
)
from gateway.ids import new_id
from gateway.metrics import Metrics
from gateway.ports.drift import Watcher
from gateway.ports.serving import ServedVersion
from gateway.rollouts.routing import NOBODY_IN_PARTICULAR, Address, Route, as_asked
from gateway.rollouts.service import RolloutService
from gateway.serving.pools import Pools
from gateway.serving.shadowing import Copied, Shadowing
from gateway.serving.tickets import Answer
from gateway.settings import DecodeSettings, LimitSettings, PredictorSettings

Decoded = Sequence[bytes | RequestError]
"""For each picture: uint8, [height, width, 3], or why it cannot be used."""

YIELD_EVERY = 8
"""After so many pictures decoded on the event loop, other requests have their turn."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One uploaded picture, as it came."""

    content: bytes
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class Classification:
    """A label and its score, 0–1."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one picture: ranked classifications, or the error why there are none."""

    id: str
    filename: str | None
    classifications: Sequence[Classification]
    error: RequestError | None = None
    scores: Sequence[float] = ()
    """All scores, in the order of the labels; empty when there are none."""
    embedding: Sequence[float] = ()
    """Empty when it was not asked for, or there is none."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one call."""

    model: str
    version: int
    role: str
    """Why this version answered: stable, canary or named."""
    labels: Sequence[str]
    items: Sequence[Item]
    decode_seconds: float
    queue_seconds: float
    predict_seconds: float
    total_seconds: float


class PredictionService:
    """Answers predictions with the version that is stable when they arrive."""

    def __init__(
        self,
        rollouts: RolloutService,
        pools: Pools,
        metrics: Metrics,
        predictor: PredictorSettings,
        limits: LimitSettings,
        decode: DecodeSettings,
        shadowing: Shadowing,
        watcher: Watcher,
    ) -> None:
        self._watcher = watcher
        self._shadowing = shadowing
        self._rollouts = rollouts
        self._pools = pools
        self._metrics = metrics
        self._deadline_seconds = predictor.deadline_seconds
        self._patience_seconds = predictor.outage_patience_seconds
        self._max_pixels = limits.image_pixels
        self._inline_pixels = min(decode.inline_pixels, limits.image_pixels)
        self._pool = ThreadPoolExecutor(decode.threads, thread_name_prefix="decode")
        self._stages = [metrics.stage_seconds.labels(stage) for stage in ("decode", "queue", "predict")]

    async def predict(
        self,
        model: str,
        pictures: Sequence[Picture],
        top_k: int,
        address: Address = NOBODY_IN_PARTICULAR,
    ) -> Prediction:
        """Classify pictures with the version that the address names, else stable or the canary.

        Args:
            pictures: at least one.
            top_k: how many classifications each gets; clipped to the number of classes.

        Raises GatewayError; the first picture's error when not one of them could be decoded.
        """
        started = perf_counter()  # uvloop's own clock counts whole milliseconds
        deadline = asyncio.get_running_loop().time() + self._deadline_seconds
        route = self._rollouts.route(model, address)
        served = route.served
        decoded = await self._decode_all(pictures, served.card.image, deadline)
        decode_seconds = perf_counter() - started
        self._count(model, decoded)
        _require_one(decoded)
        try:
            answer = await self._score(as_asked(served, address), decoded, deadline)
        except (VersionNotServedError, ReplicaRejectedError) as error:
            if isinstance(error, ReplicaRejectedError) and route.role != "canary":
                raise  # a canary's failure is not the caller's: stable answers instead
            route, decoded = await self._renewed(route, pictures, decoded, deadline)
            served = route.served
            answer = await self._score_at_last(as_asked(served, address), decoded, deadline)
        self._metrics.images_predicted.labels(model, answer.version).inc(len(answer.rows))
        stages = (decode_seconds, answer.queue_seconds, answer.predict_seconds)
        for stage, seconds in zip(self._stages, stages, strict=True):
            stage.observe(seconds)
        if route.role == "stable":
            self._watcher.offer(served, _usable(decoded), answer.rows)
        items = _items(pictures, decoded, answer, served, top_k)
        if route.role == "stable" and self._rollouts.shadow_of(model) is not None:
            self._shadowing.offer(served, _copied(pictures, decoded, items), answer)
        labels = served.card.labels
        return Prediction(model, answer.version, route.role, labels, items, *stages, perf_counter() - started)

    async def score(
        self, model: str, images: Sequence[bytes], address: Address = NOBODY_IN_PARTICULAR
    ) -> tuple[Route, Answer]:
        """Score images that are decoded already: each uint8, [height, width, 3], of the card's size.

        A canary that fails is not replaced by stable, whose images might have another size.
        Raises GatewayError.
        """
        deadline = asyncio.get_running_loop().time() + self._deadline_seconds
        route = self._rollouts.route(model, address)
        self._count(model, images)
        answer = await self._score_at_last(route.served, images, deadline)
        self._metrics.images_predicted.labels(model, answer.version).inc(len(answer.rows))
        if route.role == "stable":
            self._watcher.offer(route.served, images, answer.rows)
        return route, answer

    async def _renewed(
        self, route: Route, pictures: Sequence[Picture], decoded: Decoded, deadline: float
    ) -> tuple[Route, Decoded]:
        """The version cannot answer: read the rollout again, turn to stable unless it was named.

        Decodes again if the size differs.
        """
        served = route.served
        await self._rollouts.refresh()
        if route.role == "canary":
            self._metrics.canary_fallbacks.labels(served.model).inc()
            self._rollouts.withdraw(served)
        if route.role == "named":
            return route, decoded
        renewed = Route(self._rollouts.served(served.model), "stable")
        if renewed.served.card.image != served.card.image:
            decoded = await self._decode_all(pictures, renewed.served.card.image, deadline)
        return renewed, decoded

    async def _score_at_last(self, served: ServedVersion, decoded: Decoded, deadline: float) -> Answer:
        try:
            return await self._score(served, decoded, deadline)
        except VersionNotServedError as error:
            raise NoVersionError(f"{error}; it may be loading, try again in a moment") from error

    async def _score(self, served: ServedVersion, decoded: Decoded, deadline: float) -> Answer:
        usable = _usable(decoded)
        self._pools.require(served.model, self._patience_seconds)
        in_flight = self._metrics.images_in_flight.labels(served.model)
        in_flight.inc(len(usable))
        try:
            return await self._pools.submit(served, usable, deadline)
        except DeadlineError:
            self._pools.require(served.model)  # an outage is a better answer than "too slow"
            self._count_failed(served, "late", len(usable))
            raise
        except (ReplicaRejectedError, VersionNotServedError) as error:
            reason = "rejected" if isinstance(error, ReplicaRejectedError) else "not_served"
            self._count_failed(served, reason, len(usable))
            raise
        finally:
            in_flight.dec(len(usable))

    async def _decode_all(self, pictures: Sequence[Picture], spec: ImageSpec, deadline: float) -> Decoded:
        """Raises DeadlineError."""
        decoded: list[bytes | RequestError] = []
        for number, picture in enumerate(pictures, start=1):
            decoded.append(await self._decode(picture.content, spec, deadline))
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        return decoded

    async def _decode(self, content: bytes, spec: ImageSpec, deadline: float) -> bytes | RequestError:
        """Small pictures here, large ones in the pool; the header's pixel count decides."""
        try:
            return images.decode(content, spec, self._inline_pixels)
        except images.TooManyPixelsError:
            pass
        except images.ImageError as error:
            return NotAPictureError(str(error))
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.get_running_loop().run_in_executor(
                    self._pool, images.decode, content, spec, self._max_pixels
                )
        except TimeoutError as error:
            raise DeadlineError(
                "the pictures could not be decoded in time; send fewer or smaller ones"
            ) from error
        except images.TooManyPixelsError as error:
            return TooLargeError(str(error))
        except images.ImageError as error:
            return NotAPictureError(str(error))

    def _count(self, model: str, decoded: Decoded) -> None:
        usable = sum(isinstance(image, bytes) for image in decoded)
        self._metrics.images_arrived.labels(model).inc(usable)
        if usable < len(decoded):
            self._metrics.images_refused.labels(model).inc(len(decoded) - usable)

    def _count_failed(self, served: ServedVersion, reason: str, images: int) -> None:
        self._metrics.images_failed.labels(served.model, served.version, reason).inc(images)

    def close(self) -> None:
        """Let the decoding threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _usable(decoded: Decoded) -> list[bytes]:
    return [image for image in decoded if isinstance(image, bytes)]


def _require_one(decoded: Decoded) -> None:
    """Raises the first picture's error when not one can be used."""
    if not any(isinstance(image, bytes) for image in decoded):
        raise next(image for image in decoded if not isinstance(image, bytes))


def _copied(pictures: Sequence[Picture], decoded: Decoded, items: Sequence[Item]) -> list[Copied]:
    return [
        Copied(item.id, picture.content, image, item.scores)
        for picture, image, item in zip(pictures, decoded, items, strict=True)
        if isinstance(image, bytes)
    ]


def _items(
    pictures: Sequence[Picture],
    decoded: Decoded,
    answer: Answer,
    served: ServedVersion,
    top_k: int,
) -> list[Item]:
    rows, embeddings = iter(answer.rows), iter(answer.embeddings)
    labels = served.card.labels
    return [
        _answered(picture, next(rows), labels, top_k, next(embeddings, ()))
        if isinstance(image, bytes)
        else Item(new_id(), picture.filename, (), image)
        for picture, image in zip(pictures, decoded, strict=True)
    ]


def _answered(
    picture: Picture, row: Sequence[float], labels: Sequence[str], top_k: int, embedding: Sequence[float]
) -> Item:
    ranked = _ranked(row, labels, top_k)
    return Item(new_id(), picture.filename, ranked, scores=row, embedding=embedding)


def _ranked(row: Sequence[float], labels: Sequence[str], top_k: int) -> list[Classification]:
    best = heapq.nlargest(top_k, range(len(row)), key=row.__getitem__)
    return [Classification(labels[index], row[index]) for index in best]
