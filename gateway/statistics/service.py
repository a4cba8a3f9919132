"""Availability, latency and rates over time, and how the versions of each model fare."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.errors import DatabaseError
from gateway.ports.activity import ActivityRow, ActivityStore, Resolution
from gateway.ports.history import History
from gateway.statistics.counter import SECONDS, ActivityCounter
from gateway.statistics.latencies import added, percentile

WINDOWS = {"1h": 3600, "24h": 86_400, "30d": 30 * 86_400}
MINUTES_KEPT_SECONDS = 48 * 3600
LONGEST_BY_MINUTE = 6 * 3600
LONGEST_BY_HOUR = 31 * 86_400
"""Series of longer ranges have coarser steps, so that a chart never has more than some hundred points."""
FORGET_SECONDS = 3600.0


@dataclass(frozen=True)
class Requests:
    """Prediction requests of some time."""

    answered: int = 0
    refused: int = 0
    failed: int = 0
    latencies: Sequence[int] = ()

    @property
    def availability(self) -> float | None:
        """The share that did not end with a fault of ours; None without requests."""
        count = self.answered + self.refused + self.failed
        return 1 - self.failed / count if count else None

    def percentile_ms(self, share: float) -> float | None:
        """Of the answered ones."""
        return percentile(self.latencies, share)


@dataclass(frozen=True)
class Point:
    """One step of a series."""

    at: int
    requests: Requests


@dataclass(frozen=True)
class Series:
    """Requests over time; steps without any are left out."""

    step_seconds: int
    points: Sequence[Point]

    @property
    def total(self) -> Requests:
        """Of all steps."""
        found = [point.requests for point in self.points]
        return Requests(
            sum(one.answered for one in found),
            sum(one.refused for one in found),
            sum(one.failed for one in found),
            added([one.latencies for one in found]),
        )


@dataclass
class VersionUse:
    """What one version answered in some time."""

    version: int
    predictions: int = 0
    score_sum: float = 0.0
    milliseconds_sum: float = 0.0
    labels: dict[str, int] = field(default_factory=dict)
    feedback: int = 0
    right: int = 0


class StatisticsService:
    """Reads for everybody, writes what this process has counted."""

    def __init__(
        self, counter: ActivityCounter, store: ActivityStore, history: History, kept_days: float
    ) -> None:
        """`kept_days`: how long hours are kept."""
        self.counter = counter
        self._store = store
        self._history = history
        self._kept_seconds = kept_days * 86_400
        self._forgotten_at = float("-inf")

    async def flush(self) -> None:
        """Write what has changed; now and then delete what is old. Raises DatabaseError."""
        rows = self.counter.changed()
        try:
            await self._store.save(rows)
        except (DatabaseError, asyncio.CancelledError):
            self.counter.unsaved(rows)
            raise
        self.counter.saved(rows)
        if time.monotonic() - self._forgotten_at > FORGET_SECONDS:
            self._forgotten_at = time.monotonic()
            now = int(time.time())
            await self._store.forget("minute", now - MINUTES_KEPT_SECONDS)
            await self._store.forget("hour", now - int(self._kept_seconds))

    async def windows(self, now: int) -> dict[str, Requests]:
        """The requests of the last hour, day and month."""
        minutes = await self._store.read("minute", now - WINDOWS["1h"], now + 1)
        hours = await self._store.read("hour", now - WINDOWS["30d"], now + 1)
        return {
            name: summed(minutes if name == "1h" else [row for row in hours if row.at >= now - seconds])
            for name, seconds in WINDOWS.items()
        }

    async def series(self, since: int, until: int) -> Series:
        """Requests from `since` to `until`, seconds since 1970."""
        resolution, step = resolution_of(until - since)
        rows = await self._store.read(resolution, since - since % step, until)
        steps: dict[int, list[ActivityRow]] = defaultdict(list)
        for row in rows:
            steps[row.at - row.at % step].append(row)
        return Series(step, [Point(at, summed(group)) for at, group in sorted(steps.items())])

    async def versions(self, model: str | None, since: int, until: int) -> dict[str, list[VersionUse]]:
        """What each version of each model answered, and what people said about its answers in all time."""
        uses: dict[tuple[str, int], VersionUse] = {}
        for row in await self._history.totals(model, since // 60, -(-until // 60)):
            use = uses.setdefault((row.model, row.version), VersionUse(row.version))
            use.predictions += row.predictions
            use.score_sum += row.score_sum
            use.milliseconds_sum += row.milliseconds_sum
            use.labels[row.label] = row.predictions
        for known in await self._history.accuracies(model):
            use = uses.setdefault((known.model, known.version), VersionUse(known.version))
            use.feedback, use.right = known.feedback, known.right
        models: dict[str, list[VersionUse]] = defaultdict(list)
        for (name, _), use in sorted(uses.items()):
            models[name].append(use)
        return models


def resolution_of(seconds: int) -> tuple[Resolution, int]:
    """What to read for a range, and the seconds of one step."""
    if seconds <= LONGEST_BY_MINUTE:
        return "minute", SECONDS["minute"]
    return "hour", SECONDS["hour"] if seconds <= LONGEST_BY_HOUR else 86_400


def summed(rows: Iterable[ActivityRow]) -> Requests:
    """Over steps and processes."""
    found = list(rows)
    return Requests(
        sum(row.answered for row in found),
        sum(row.refused for row in found),
        sum(row.failed for row in found),
        added([row.latencies for row in found]),
    )
