"""The whole prediction on one page: pictures → decoded images → scores → ranked classifications.

Transport-free: HTTP is gateway.api's business, gRPC the adapter's. How pictures are decoded is
gateway.serving.decoding's, and what becomes of scores, gateway.serving.ranking's. A picture that cannot be
decoded fails alone; the rest are answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from gateway.errors import DeadlineError, NoVersionError, ReplicaRejectedError, VersionNotServedError
from gateway.metrics import Metrics
from gateway.ports.drift import Watcher
from gateway.ports.serving import ServedVersion
from gateway.rollouts.routing import NOBODY_IN_PARTICULAR, Address, Route, as_asked
from gateway.rollouts.service import RolloutService
from gateway.serving.decoding import Decoded, Decoder, Picture, require_one, usable_images
from gateway.serving.pools import Pools
from gateway.serving.ranking import Item, ranked_items
from gateway.serving.shadowing import Copied, Shadowing
from gateway.serving.tickets import Answer
from gateway.settings import DecodeSettings, LimitSettings, PredictorSettings


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
        self._decoder = Decoder(limits, decode)
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
        decoded = await self._decoder.decode(pictures, served.card.image, deadline)
        decode_seconds = perf_counter() - started
        self._count(model, decoded)
        require_one(decoded)
        try:
            answer = await self._score(as_asked(served, address), decoded, deadline)
        except (VersionNotServedError, ReplicaRejectedError) as error:
            if isinstance(error, ReplicaRejectedError) and route.role != "canary":
                raise  # a canary's failure is not the caller's: stable answers instead
            route, decoded = await self._renewed(route, pictures, decoded, deadline)
            served = route.served
            answer = await self._score_at_last(as_asked(served, address), decoded, deadline)
        stages = (decode_seconds, answer.queue_seconds, answer.predict_seconds)
        self._count_answered(model, answer, stages)
        if route.role == "stable":
            self._watcher.offer(served, usable_images(decoded), answer.rows)
        labels = served.card.labels
        items = ranked_items(pictures, decoded, answer, labels, top_k)
        if route.role == "stable" and self._rollouts.shadow_of(model) is not None:
            self._shadowing.offer(served, _copied(pictures, decoded, items), answer)
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
            decoded = await self._decoder.decode(pictures, renewed.served.card.image, deadline)
        return renewed, decoded

    async def _score_at_last(self, served: ServedVersion, decoded: Decoded, deadline: float) -> Answer:
        try:
            return await self._score(served, decoded, deadline)
        except VersionNotServedError as error:
            raise NoVersionError(f"{error}; it may be loading, try again in a moment") from error

    async def _score(self, served: ServedVersion, decoded: Decoded, deadline: float) -> Answer:
        usable = usable_images(decoded)
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

    def _count(self, model: str, decoded: Decoded) -> None:
        usable = sum(isinstance(image, bytes) for image in decoded)
        self._metrics.images_arrived.labels(model).inc(usable)
        if usable < len(decoded):
            self._metrics.images_refused.labels(model).inc(len(decoded) - usable)

    def _count_answered(self, model: str, answer: Answer, stages: Sequence[float]) -> None:
        self._metrics.images_predicted.labels(model, answer.version).inc(len(answer.rows))
        for stage, seconds in zip(self._stages, stages, strict=True):
            stage.observe(seconds)

    def _count_failed(self, served: ServedVersion, reason: str, images: int) -> None:
        self._metrics.images_failed.labels(served.model, served.version, reason).inc(images)

    def close(self) -> None:
        """Let the decoding threads end."""
        self._decoder.close()


def _copied(pictures: Sequence[Picture], decoded: Decoded, items: Sequence[Item]) -> list[Copied]:
    return [
        Copied(item.id, picture.content, image, item.scores)
        for picture, image, item in zip(pictures, decoded, items, strict=True)
        if isinstance(image, bytes)
    ]
