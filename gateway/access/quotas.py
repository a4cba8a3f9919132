"""How much one caller may ask for: requests a minute, and requests at once. Counted in each process."""

from __future__ import annotations

from typing import Any

from gateway.errors import RateLimitedError
from gateway.settings import AccessSettings

CALLERS = 16_384
"""Counted at the same time; of more, who has been silent longest begins anew."""
AT_A_TIME = 32
"""Requests of one caller that are counted together, at most, ..."""
OF_A_MINUTE = 100
"""... and no more than this part of a minute's: counting is a fortieth of what a small picture takes."""


class Quotas:
    """The limits of each caller; 0 means none."""

    def __init__(self, settings: AccessSettings) -> None:
        self._per_minute = settings.requests_per_minute
        self._at_once = settings.requests_at_once
        self._running: dict[str, int] = {}
        if self._per_minute:
            self._rate = _rate_limiter(self._per_minute)
            self._counted: dict[str, int] = {}
            self._at_a_time = max(1, min(AT_A_TIME, self._per_minute // OF_A_MINUTE))

    def enter(self, caller: str) -> None:
        """A request begins; `leave` must follow. Raises RateLimitedError, and then nothing must follow."""
        running = self._running.get(caller, 0)
        if self._at_once and running >= self._at_once:
            raise RateLimitedError(f"{self._at_once} of your requests are running; wait for one to end", 1.0)
        if self._per_minute:
            self._count(caller)
        self._running[caller] = running + 1

    def _count(self, caller: str) -> None:
        """One request of this minute; some are counted ahead, as one call of the library."""
        ahead = self._counted.get(caller, 0)
        if not ahead:
            if (result := self._rate.limit(caller, self._at_a_time)).limited:
                wait = max(1.0, min(result.state.retry_after, 60.0))
                raise RateLimitedError(f"at most {self._per_minute} requests a minute", wait)
            if len(self._counted) >= CALLERS:
                self._counted.clear()
            ahead = self._at_a_time
        self._counted[caller] = ahead - 1

    def leave(self, caller: str) -> None:
        """A request has ended."""
        running = self._running.pop(caller) - 1
        if running:
            self._running[caller] = running


def _rate_limiter(per_minute: int) -> Any:
    """A throttled.Throttled with a count in memory. Imported only where a quota is set: it takes 1 MB."""
    from throttled import MemoryStore, RateLimiterType, Throttled, rate_limiter

    store = MemoryStore(options={"MAX_SIZE": 2 * CALLERS})  # this minute's count, and the last one's
    quota = rate_limiter.per_min(per_minute)
    return Throttled(using=RateLimiterType.SLIDING_WINDOW.value, quota=quota, store=store)
