"""Predictions first: work for which nobody waits rests in proportion to the processor time that it took.

A low priority does not do: the kernel writes what was imported, the caller sends what is received, and
caches are shared, whatever the priority of a thread. Only the pace slows all of them. Where the machine has
nothing else to do, half of that is taken as well.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

SHORTEST_SECONDS = 0.01
"""Less is not worth waking up for; it is owed until more has gathered."""
LONGEST_SECONDS = 1.0
"""A lease has to be renewed, however long one picture took."""
LOOK_SECONDS = 0.25
"""How long the machine is watched before its idle time means anything; the kernel counts in 0.01 s."""
MOST = 0.75
"""Of one core, however idle the machine is: this process may have predictions to answer, and its
interpreter runs one thread at a time."""

_STATISTICS = Path("/proc/stat")
_IDLE_FIELDS = slice(4, 6)
"""Behind `cpu user nice system`: idle, and idle while a disk works (proc_stat(5))."""


def idle_seconds() -> float:
    """For which the machine's cores, all together, have had nothing to do; where that is unknown always 0."""
    try:
        with _STATISTICS.open() as file:
            fields = file.readline().split()
    except OSError:
        return 0.0
    return sum(map(int, fields[_IDLE_FIELDS])) / os.sysconf("SC_CLK_TCK")


class Pace:
    """How long to rest, so that this process takes `share` of one core, or more on an idle machine."""

    def __init__(
        self,
        share: float,
        used: Callable[[], float] = time.process_time,
        idle: Callable[[], float] = idle_seconds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._least = self._share = share
        self._used = used
        self._idle = idle
        self._clock = clock
        self._looked_at, self._idle_then = clock(), idle()
        self._begin(clock())

    def owed_seconds(self) -> float:
        """To rest now; the caller does so, in its own way. What was not used is not saved up."""
        now = self._clock()
        self._look(now)
        owed = (self._used() - self._used_then) / self._share - (now - self._then)
        if 0 <= owed < SHORTEST_SECONDS:
            return 0.0
        rest = min(max(0.0, owed), LONGEST_SECONDS)
        self._begin(now + rest)
        return rest

    def _look(self, now: float) -> None:
        """Half of the idle time: were all of it taken, the next request would find no free core."""
        if now - self._looked_at < LOOK_SECONDS:
            return
        idle = self._idle()
        idle_cores = (idle - self._idle_then) / (now - self._looked_at)
        self._share = max(self._least, min(self._least + idle_cores / 2, MOST))
        self._looked_at, self._idle_then = now, idle

    def _begin(self, moment: float) -> None:
        self._then, self._used_then = moment, self._used()
