"""How much one caller may ask for: requests a minute, and requests at once. Counted in each process."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gateway.errors import RateLimitedError
from gateway.settings import AccessSettings

CALLERS = 16_384
"""Counted at the same time; of more, who has been silent longest begins anew."""


class Quotas:
    """The limits of each caller; 0 means none."""

    def __init__(self, settings: AccessSettings) -> None:
        self._per_minute = settings.requests_per_minute
        self._at_once = settings.requests_at_once
        self._running: Counter[str] = Counter()
        if self._per_minute:
            self._rate = _rate_limiter(self._per_minute)

    def enter(self, caller: str) -> None:
        """A request begins; `leave` must follow. Raises RateLimitedError, and then nothing must follow."""
        if self._at_once and self._running[caller] >= self._at_once:
            raise RateLimitedError(f"{self._at_once} of your requests are running; wait for one to end", 1.0)
        if self._per_minute and (result := self._rate.limit(caller)).limited:
            wait = max(1.0, min(result.state.retry_after, 60.0))
            raise RateLimitedError(f"at most {self._per_minute} requests a minute", wait)
        self._running[caller] += 1

    def leave(self, caller: str) -> None:
        """A request has ended."""
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]


def _rate_limiter(per_minute: int) -> Any:
    """A throttled.Throttled with a count in memory. Imported only where a quota is set: it takes 1 MB."""
    from throttled import MemoryStore, RateLimiterType, Throttled, rate_limiter

    store = MemoryStore(options={"MAX_SIZE": 2 * CALLERS})  # this minute's count, and the last one's
    quota = rate_limiter.per_min(per_minute)
    return Throttled(using=RateLimiterType.SLIDING_WINDOW.value, quota=quota, store=store)
