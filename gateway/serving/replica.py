"""One model server replica: whether it is well, which batch it pulls, and what becomes of one that fails.

A replica pulls from the one queue when it is idle. One that is lost, or slow while others are well, is put
aside and probed back in; what it held is given back to the queue once. How it is spoken to is the Predictor's
business; which replicas there are, gateway.serving.replicas'.
"""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter
from typing import Protocol

from gateway.errors import (
    DeadlineError,
    GatewayError,
    ReplicaError,
    ReplicaLostError,
    ReplicaRejectedError,
    ReplicaSlowError,
    VersionNotServedError,
)
from gateway.metrics import Metrics
from gateway.ports.canary import Observer
from gateway.ports.serving import Predictor, Scores
from gateway.ports.tracing import Call, Tracing
from gateway.serving.batching import BatchQueue
from gateway.serving.patience import Patience
from gateway.serving.tickets import Batch

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
"""A call that is lost is repeated once: on another replica, or on the same after it is back."""

PROBE_SECONDS = 0.5
"""Interval of the probes of a replica that is well: the bound on how long an idle gateway believes it."""

PROBE_BACK_SECONDS = 0.1
"""Interval of the probes of one that was put aside."""

PROBE_TIMEOUT_SECONDS = 1.0

LACKING_PAUSE_SECONDS = 0.25
"""A replica without the version refuses instantly, so it would pull everything: it pauses instead."""


class Fleet(Protocol):
    """What a replica knows of the others."""

    @property
    def tracing(self) -> Tracing:
        """Spans around its calls."""

    @property
    def calls_at_once(self) -> int:
        """How many calls those that are up may have in flight together."""

    def others_are_up(self, replica: Replica) -> bool:
        """True when another replica could do this one's work."""

    def note_change(self) -> None:
        """A replica came or went."""


class Replica:
    """One replica: its predictor, the tasks that pull for it, and whether it is well."""

    def __init__(
        self,
        predictor: Predictor,
        queue: BatchQueue,
        metrics: Metrics,
        fleet: Fleet,
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer
        self.predictor = predictor
        self._queue = queue
        self._metrics = metrics
        self._fleet = fleet
        self._is_up = asyncio.Event()
        self._busy: set[asyncio.Task[None]] = set()
        self._pullers: list[asyncio.Task[None]] = []
        self._prober: asyncio.Task[None] | None = None
        self._patience = Patience()
        self._is_retired = False
        metrics.replica_up.labels(predictor.address).set(0)

    @property
    def is_up(self) -> bool:
        """True while it takes batches."""
        return self._is_up.is_set()

    def start(self, in_flight: int) -> None:
        """Begin to probe, and to pull with `in_flight` calls at once."""
        self._prober = asyncio.create_task(self._probe())
        self._pullers = [asyncio.create_task(self._pull()) for _ in range(in_flight)]

    async def retire(self) -> None:
        """Take nothing more, let running calls end, close the connection."""
        self._is_retired = True
        self._is_up.clear()
        for task in [self._prober, *self._pullers]:
            if task is not None and task not in self._busy:
                task.cancel()
        await asyncio.gather(*self._pullers, return_exceptions=True)
        await self.predictor.aclose()

    async def _pull(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        while not self._is_retired:
            await self._is_up.wait()
            batch = await self._queue.take(self._fleet.calls_at_once)
            if not self.is_up:  # put aside while it waited
                self._queue.give_back(batch)
                continue
            self._busy.add(task)
            try:
                await self._answer(batch)
            finally:
                self._busy.discard(task)

    async def _answer(self, batch: Batch) -> None:
        started = perf_counter()
        try:
            scores = await self._predict(batch)
            batch.deliver(scores)
            self._learn(batch, perf_counter() - started)
            self._observe(batch, started)
        except (ReplicaLostError, ReplicaSlowError) as error:
            self._count(error)
            self._observe(batch, started, is_failed=True)
            self._repeat(batch, error)
        except ReplicaError as error:
            self._count(error)
            if not isinstance(error, VersionNotServedError):  # that is the replica's fault, not the version's
                self._observe(batch, started, is_failed=True)
            if isinstance(error, VersionNotServedError) and self._fleet.others_are_up(self):
                self._queue.repeat(batch, error, MAX_ATTEMPTS)
                await asyncio.sleep(LACKING_PAUSE_SECONDS)
            else:
                batch.fail(error)
        except asyncio.CancelledError:
            self._queue.give_back(batch)
            raise
        except Exception as error:
            log.exception("a batch failed unexpectedly", extra={"replica": self.predictor.address})
            batch.fail(ReplicaRejectedError(f"unexpected {type(error).__name__} while predicting"))

    async def _predict(self, batch: Batch) -> Scores:
        served, images = batch.served, batch.images
        call = Call(batch.causes, self.predictor.address, served.model, served.version, len(images))
        with self._fleet.tracing.call(call):
            return await self.predictor.predict(served, images, self._attempt_seconds(batch))

    def _observe(self, batch: Batch, started: float, *, is_failed: bool = False) -> None:
        if self._observer is not None:
            seconds = perf_counter() - started
            self._observer.call(batch.served, batch.size, seconds, is_failed=is_failed)

    def _repeat(self, batch: Batch, error: ReplicaError) -> None:
        if isinstance(error, ReplicaSlowError) and not self._fleet.others_are_up(self):
            batch.fail(DeadlineError(str(error)))
            return
        self.put_aside(error)
        self._queue.repeat(batch, error, MAX_ATTEMPTS)

    def _attempt_seconds(self, batch: Batch) -> float:
        """How long this attempt may take: all the time there is, unless another replica could help."""
        remaining = batch.deadline - asyncio.get_running_loop().time()
        if self._fleet.others_are_up(self):
            remaining = self._patience.seconds(batch.served.model, batch.size, remaining)
        return max(remaining, 0.001)

    def _learn(self, batch: Batch, seconds: float) -> None:
        self._patience.learn(batch.served.model, batch.size, seconds)
        self._metrics.replica_calls.labels(self.predictor.address, "answered").inc()
        self._metrics.replica_call_seconds.labels(self.predictor.address).observe(seconds)

    def _count(self, error: ReplicaError) -> None:
        outcome = type(error).__name__.removesuffix("Error").removeprefix("Replica").lower()
        self._metrics.replica_calls.labels(self.predictor.address, outcome).inc()

    async def _probe(self) -> None:
        while True:
            try:
                await self.predictor.check(PROBE_TIMEOUT_SECONDS)
            except ReplicaSlowError as error:
                if self._fleet.others_are_up(self):  # the last one is never put aside for being slow
                    self.put_aside(error)
            except ReplicaError as error:
                self.put_aside(error)
            except Exception:
                log.exception("a probe failed unexpectedly", extra={"replica": self.predictor.address})
            else:
                self._bring_back()
            await asyncio.sleep(PROBE_SECONDS if self.is_up else PROBE_BACK_SECONDS)

    def put_aside(self, error: GatewayError) -> None:
        """Pull nothing more until a probe is answered."""
        if self.is_up:
            self._is_up.clear()
            self._metrics.replica_up.labels(self.predictor.address).set(0)
            log.warning("replica put aside", extra={"replica": self.predictor.address, "reason": str(error)})
            self._fleet.note_change()

    def _bring_back(self) -> None:
        if not self.is_up and not self._is_retired:
            self._is_up.set()
            self._metrics.replica_up.labels(self.predictor.address).set(1)
            log.info("replica takes batches", extra={"replica": self.predictor.address})
            self._fleet.note_change()
