"""How much one caller may ask for: requests a minute, and requests at once. Counted in each process."""

from __future__ import annotations

import time
from collections import Counter

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from gateway.errors import RateLimitedError
from gateway.settings import AccessSettings


class Quotas:
    """The limits of each caller; 0 means none."""

    def __init__(self, settings: AccessSettings) -> None:
        self._per_minute = settings.requests_per_minute
        self._at_once = settings.requests_at_once
        self._running: Counter[str] = Counter()
        if self._per_minute:
            self._rate = RateLimitItemPerMinute(self._per_minute)
            self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def enter(self, caller: str) -> None:
        """A request begins; `leave` must follow. Raises RateLimitedError, and then nothing must follow."""
        if self._at_once and self._running[caller] >= self._at_once:
            raise RateLimitedError(f"{self._at_once} of your requests are running; wait for one to end", 1.0)
        if self._per_minute and not self._limiter.hit(self._rate, caller):
            reset = self._limiter.get_window_stats(self._rate, caller).reset_time - time.time()
            raise RateLimitedError(
                f"at most {self._per_minute} requests a minute", max(1.0, min(reset, 60.0))
            )
        self._running[caller] += 1

    def leave(self, caller: str) -> None:
        """A request has ended."""
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]
