"""Counts the requests of this process in the minute and the hour that run, for the database.

A request costs two lookups and two additions. While the database is away the counts wait, to a bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.ports.activity import ActivityRow, Resolution
from gateway.statistics.latencies import BUCKETS, bucket_of

SECONDS: dict[Resolution, int] = {"minute": 60, "hour": 3600}
KEPT = 1440
"""Minutes and hours that wait at most for a database that is away: a day. Then the oldest go."""

Key = tuple[Resolution, int]


@dataclass(slots=True)
class _Tally:
    answered: int = 0
    refused: int = 0
    failed: int = 0
    latencies: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    is_changed: bool = True


class ActivityCounter:
    """Lives on one event loop."""

    def __init__(self, source: str, clock: Callable[[], float] = time.time) -> None:
        self.started_at = clock()
        self._source = source
        self._clock = clock
        self._tallies: dict[Key, _Tally] = {}
        self._running: list[_Tally] = []
        self._ends_at = 0.0

    def note(self, status: int, seconds: float) -> None:
        """A prediction request has ended with this HTTP status; 499 and the like count as refused."""
        now = self._clock()
        if not self._ends_at - 60 <= now < self._ends_at:  # also when a clock is set back
            self._begin(int(now))
        for tally in self._running:
            tally.is_changed = True
            if status < 400:
                tally.answered += 1
                tally.latencies[bucket_of(seconds * 1000)] += 1
            elif status < 500:
                tally.refused += 1
            else:
                tally.failed += 1

    def _begin(self, now: int) -> None:
        keys = [(resolution, now - now % seconds) for resolution, seconds in SECONDS.items()]
        self._running = [self._tallies.setdefault(key, _Tally()) for key in keys]
        self._ends_at = keys[0][1] + 60
        for surplus in sorted(self._tallies, key=lambda key: key[1])[:-KEPT]:
            del self._tallies[surplus]

    def changed(self) -> Sequence[ActivityRow]:
        """What is not saved yet."""
        rows = []
        for (resolution, at), tally in self._tallies.items():
            if tally.is_changed:
                tally.is_changed = False
                counts = (tally.answered, tally.refused, tally.failed, tuple(tally.latencies))
                rows.append(ActivityRow(resolution, at, self._source, *counts))
        return rows

    def saved(self, rows: Sequence[ActivityRow]) -> None:
        """These are in the database: those that have ended need not be kept."""
        for row in rows:
            tally = self._tallies[row.resolution, row.at]
            if not tally.is_changed and tally not in self._running:
                del self._tallies[row.resolution, row.at]

    def unsaved(self, rows: Sequence[ActivityRow]) -> None:
        """These could not be written: again next time."""
        for row in rows:
            if (tally := self._tallies.get((row.resolution, row.at))) is not None:
                tally.is_changed = True
