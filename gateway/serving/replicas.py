"""The model server replicas: who is there, who is well, and who pulls which batch.

A ClusterIP or one gRPC channel with round_robin balances connections, not requests. Here each replica
has its own channel and pulls from the one queue when it is idle, so a slow replica takes less. A replica
that is lost, or slow while others are well, is put aside and probed back in; what it held is given back
to the queue once. How a replica is spoken to is the Predictor's business; when versions move,
gateway.rollouts.service's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter

from gateway.errors import (
    DeadlineError,
    GatewayError,
    NoReplicaError,
    ReplicaError,
    ReplicaLostError,
    ReplicaRejectedError,
    ReplicaSlowError,
    VersionNotServedError,
)
from gateway.metrics import Metrics
from gateway.ports.canary import Observer
from gateway.ports.serving import Predictor, Scores, VersionStatus
from gateway.ports.tracing import Call, Tracing, Untraced
from gateway.serving.batching import BatchQueue
from gateway.serving.tickets import Batch

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
"""A call that is lost is repeated once: on another replica, or on the same after it is back."""

PROBE_SECONDS = 0.5
"""Interval of the probes of a replica that is well: the bound on how long an idle gateway believes it."""

PROBE_BACK_SECONDS = 0.1
"""Interval of the probes of one that was put aside."""

PROBE_TIMEOUT_SECONDS = 1.0

SHORTEST_ATTEMPT_SECONDS = 1.0
"""An attempt gets at least this long, however fast the replica has been."""

ATTEMPT_FACTOR = 10.0
"""An attempt gets this many times the smoothed seconds of a call: beyond that the replica is frozen."""

SMOOTHING = 0.2

LACKING_PAUSE_SECONDS = 0.25
"""A replica without the version refuses instantly, so it would pull everything: it pauses instead."""


class Replica:
    """One replica: its predictor, the tasks that pull for it, and whether it is well."""

    def __init__(
        self,
        predictor: Predictor,
        queue: BatchQueue,
        metrics: Metrics,
        fleet: Replicas,
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
        self._smoothed_seconds = 0.0
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
            batch = await self._queue.take()
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
            self._learn(perf_counter() - started)
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
            images = sum(map(len, batch.slices))
            self._observer.call(batch.served, images, seconds, is_failed=is_failed)

    def _repeat(self, batch: Batch, error: ReplicaError) -> None:
        if isinstance(error, ReplicaSlowError) and not self._fleet.others_are_up(self):
            batch.fail(DeadlineError(str(error)))
            return
        self.put_aside(error)
        self._queue.repeat(batch, error, MAX_ATTEMPTS)

    def _attempt_seconds(self, batch: Batch) -> float:
        """How long this attempt may take: all the time there is, unless another replica could help."""
        remaining = batch.deadline - asyncio.get_running_loop().time()
        if not self._fleet.others_are_up(self):
            return max(remaining, 0.001)
        patience = max(SHORTEST_ATTEMPT_SECONDS, ATTEMPT_FACTOR * self._smoothed_seconds)
        return max(min(remaining, patience), 0.001)

    def _learn(self, seconds: float) -> None:
        self._smoothed_seconds += SMOOTHING * (seconds - self._smoothed_seconds)
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


class Replicas:
    """All replicas of the model server, as discovery names them."""

    def __init__(
        self,
        discover: Callable[[], Awaitable[frozenset[str]]],
        connect: Callable[[str], Predictor],
        queue: BatchQueue,
        metrics: Metrics,
        *,
        in_flight: int,
        tracing: Tracing | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.tracing = tracing or Untraced()
        self._observer = observer
        self._discover = discover
        self._connect = connect
        self._queue = queue
        self._metrics = metrics
        self._in_flight = in_flight
        self._members: dict[str, Replica] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._none_up_since: float | None = asyncio.get_running_loop().time()

    def states(self) -> dict[str, bool]:
        """Address → whether the replica takes batches."""
        return {address: replica.is_up for address, replica in sorted(self._members.items())}

    def others_are_up(self, replica: Replica) -> bool:
        """True when another replica could do this one's work."""
        return any(other.is_up for other in self._members.values() if other is not replica)

    def note_change(self) -> None:
        """A replica came or went: keep since when there is none."""
        if any(replica.is_up for replica in self._members.values()):
            self._none_up_since = None
        elif self._none_up_since is None:
            self._none_up_since = asyncio.get_running_loop().time()

    def require(self, patience_seconds: float = 0.0) -> None:
        """Raise NoReplicaError when every replica has been away for longer than the patience."""
        since = self._none_up_since
        if since is not None and asyncio.get_running_loop().time() - since >= patience_seconds:
            names = ", ".join(sorted(self._members)) or "none resolved"
            raise NoReplicaError(f"no model server answers ({names}); try again in a moment")

    async def versions(self, model: str) -> dict[str, Mapping[int, VersionStatus]]:
        """What each replica that is up says about the model's versions; one that fails is left out."""
        members = [replica.predictor for replica in self._members.values() if replica.is_up]
        answers = await asyncio.gather(
            *(member.versions(model, PROBE_TIMEOUT_SECONDS) for member in members), return_exceptions=True
        )
        statuses: dict[str, Mapping[int, VersionStatus]] = {}
        for member, answer in zip(members, answers, strict=True):
            if isinstance(answer, BaseException):
                log.debug("no status", extra={"replica": member.address, "reason": str(answer)})
            else:
                statuses[member.address] = answer
        return statuses

    async def resolve(self) -> None:
        """Take in the replicas that discovery names now, and retire those that it names no more."""
        self._reconcile(await self._discover())

    def reconnect(self) -> None:
        """Give each replica a new connection; calls that run end on the old one."""
        addresses = frozenset(self._members)
        self._reconcile(frozenset())
        self._reconcile(addresses)

    async def aclose(self) -> None:
        """Retire every replica."""
        self._reconcile(frozenset())
        await asyncio.gather(*self._retiring, return_exceptions=True)

    def _reconcile(self, addresses: frozenset[str]) -> None:
        for address in addresses - self._members.keys():
            replica = Replica(self._connect(address), self._queue, self._metrics, self, self._observer)
            self._members[address] = replica
            replica.start(self._in_flight)
        for address in self._members.keys() - addresses:
            task = asyncio.create_task(self._retire(self._members.pop(address)))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        self.note_change()

    async def _retire(self, replica: Replica) -> None:
        await replica.retire()
        if (address := replica.predictor.address) not in self._members:
            self._metrics.forget_replica(address)
