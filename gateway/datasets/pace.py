"""Predictions first: work for which nobody waits rests in proportion to the processor time that it took.

A low priority does not do: the kernel writes what was imported, the caller sends what is received, and
caches are shared, whatever the priority of a thread. Only the pace slows all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SHORTEST_SECONDS = 0.01
"""Less is not worth waking up for; it is owed until more has gathered."""
LONGEST_SECONDS = 1.0
"""A lease has to be renewed, however long one picture took."""


class Pace:
    """How long to rest, so that this process takes `share` of one core meanwhile."""

    def __init__(
        self,
        share: float,
        used_seconds: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = share
        self._used_seconds = used_seconds
        self._clock = clock
        self._begin(clock())

    def owed_seconds(self) -> float:
        """To rest now; the caller does so, in its own way. What was not used is not saved up."""
        now = self._clock()
        owed = (self._used_seconds() - self._used_then) / self._share - (now - self._then)
        if 0 <= owed < SHORTEST_SECONDS:
            return 0.0
        rest = min(max(0.0, owed), LONGEST_SECONDS)
        self._begin(now + rest)
        return rest

    def _begin(self, moment: float) -> None:
        self._then, self._used_then = moment, self._used_seconds()
