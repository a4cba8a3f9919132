"""A replica with batching as a queueing model, and a fleet of them simulated event by event.

A call into the model with n images takes `fixed + each × n` seconds of CPU. A replica runs one call at a
time, as fast as one core until its share of a period of the kernel's is used up, and stands still for the
rest of the period: that is what a CPU limit does, and where the long waits come from. It holds `in_flight`
calls; the rest waits in the one queue of the gateway, from which whichever replica has room takes its share
(the gateway's rule, told again in `largest_batch`), `max_batch` images at most. There is no timer, so batches
grow with the load. Calls vary around their mean by a gamma distribution. Everything else of an answer's time
(HTTP, decoding, the way there and back) is one constant.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from load_tests.callers.samples import percentile

PERIOD = 0.1
"""Seconds in which a CPU limit is counted: Linux' default, which Docker and Kubernetes keep."""


@dataclass(frozen=True)
class Replica:
    """What one replica can do."""

    fixed_seconds: float
    """Of a call, whatever it holds."""
    each_seconds: float
    """Of one more image in it."""
    variation: float
    """Standard deviation of a call's time by its mean."""
    elsewhere_seconds: float
    """Of an answer, beside queue and model."""
    cpus: float = 1.0
    """Its share, at most 1."""
    in_flight: int = 2
    max_batch: int = 64

    def call_seconds(self, images: float) -> float:
        """Of CPU, in the mean."""
        return self.fixed_seconds + self.each_seconds * images

    def dearer(self, factor: float) -> Replica:
        """The same, with calls that cost so many times the CPU."""
        return replace(
            self,
            fixed_seconds=factor * self.fixed_seconds,
            each_seconds=factor * self.each_seconds,
        )

    @property
    def images_per_second(self) -> float:
        """Its capacity: full batches without a pause."""
        return self.cpus * self.max_batch / self.call_seconds(self.max_batch)


@dataclass(frozen=True)
class Result:
    """What a simulated load saw."""

    images_per_second: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    images_per_batch: float


def largest_batch(under_way: int, calls_at_once: int, max_batch: int) -> int:
    """gateway.serving.batching's rule, which this package may not import; a test holds one to the other."""
    return min(max_batch, max(16, math.ceil(under_way / (calls_at_once + 1))))


class _Core:
    """The CPU of one replica: stands still when the share of a period is used up."""

    def __init__(self, share: float, phase: float) -> None:
        self._budget, self._phase = share * PERIOD, phase
        self._period, self._used = -1, 0.0
        self._free_at = 0.0

    def end(self, now: float, work: float) -> float:
        """When so many CPU seconds are done that are asked for now, after what was asked for before."""
        at = max(now, self._free_at)
        period = int((at + self._phase) / PERIOD)
        if period > self._period:
            self._period, self._used = period, 0.0
        while work > self._budget - self._used:
            work -= self._budget - self._used
            self._period, self._used = self._period + 1, 0.0
            at = self._period * PERIOD - self._phase
        self._used += work
        self._free_at = at + work
        return self._free_at


class _Fleet:
    """The state of a simulation; time is in seconds."""

    def __init__(self, replica: Replica, count: int, source: random.Random) -> None:
        self._replica, self._source = replica, source
        self._queue: deque[float] = deque()
        self._under_way = 0
        self._calls_at_once = count * replica.in_flight
        self._idle = deque(list(range(count)) * replica.in_flight)
        self._cores = [_Core(replica.cpus, source.random() * PERIOD) for _ in range(count)]
        self.events: list[tuple[float, int, int, list[float]]] = []
        """When, a number that keeps the order, the replica (−1: an arrival), when its images arrived."""
        self._number = 0
        self.waits: list[tuple[float, float]] = []
        """When it was answered, and how long it took."""
        self.batches: list[int] = []

    def schedule(self, at: float, replica: int, images: list[float]) -> None:
        self._number += 1
        heapq.heappush(self.events, (at, self._number, replica, images))

    def arrive(self, now: float) -> None:
        self._queue.append(now)
        self._under_way += 1
        self._pull(now)

    def finish(self, now: float, replica: int, images: list[float]) -> None:
        self._idle.append(replica)
        self._under_way -= len(images)
        self._pull(now)

    def _pull(self, now: float) -> None:
        """The longest idle takes what waits: its call begins when the one before it has ended."""
        while self._queue and self._idle:
            index = self._idle.popleft()
            most = largest_batch(self._under_way, self._calls_at_once, self._replica.max_batch)
            count = min(len(self._queue), most)
            images = [self._queue.popleft() for _ in range(count)]
            self.batches.append(count)
            self.schedule(self._cores[index].end(now, self._seconds(count)), index, images)

    def _seconds(self, images: int) -> float:
        mean, variation = self._replica.call_seconds(images), self._replica.variation
        if not variation:
            return mean
        shape = 1 / variation**2
        return self._source.gammavariate(shape, mean / shape)


def closed(replica: Replica, count: int, users: int, seconds: float = 120.0, seed: int = 1) -> Result:
    """So many users, each of whom asks again as soon as it is answered."""
    source = random.Random(seed)
    fleet = _Fleet(replica, count, source)
    for user in range(users):
        fleet.schedule(user * 1e-3, -1, [])

    def answered(now: float) -> None:
        fleet.schedule(now + replica.elsewhere_seconds, -1, [])

    return _simulate(fleet, replica, seconds, answered)


def opened(replica: Replica, count: int, rate: float, seconds: float = 120.0, seed: int = 1) -> Result:
    """Arrivals of a Poisson process, so many images a second."""
    source = random.Random(seed)
    fleet = _Fleet(replica, count, source)
    at = 0.0
    while at < seconds:
        at += source.expovariate(rate)
        fleet.schedule(at, -1, [])
    return _simulate(fleet, replica, seconds, lambda now: None)


def _simulate(fleet: _Fleet, replica: Replica, seconds: float, answered: Callable[[float], None]) -> Result:
    while fleet.events and fleet.events[0][0] < seconds:
        now, _, index, images = heapq.heappop(fleet.events)
        if index < 0:
            fleet.arrive(now)
            continue
        for arrived in images:
            fleet.waits.append((now, now - arrived + replica.elsewhere_seconds))
            answered(now)
        fleet.finish(now, index, images)
    return _result(fleet, seconds)


def _result(fleet: _Fleet, seconds: float) -> Result:
    """Without the first fifth, in which the queue fills."""
    begin = seconds / 5
    waits = sorted(1000 * wait for at, wait in fleet.waits if at >= begin)
    if not waits:
        never = float("inf")
        return Result(0.0, never, never, never, never, 0.0)
    p50, p95, p99 = (percentile(waits, share) for share in (0.5, 0.95, 0.99))
    mean = sum(waits) / len(waits)
    batch = sum(fleet.batches) / len(fleet.batches)
    return Result(len(waits) / (seconds - begin), mean, p50, p95, p99, batch)
