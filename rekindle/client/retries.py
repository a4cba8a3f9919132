"""Which failures pass by themselves, and how long to wait for that: stamina's backoff, or Retry-After."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from rekindle.client.calls.call import Call
from rekindle.errors import ApiError, GatewayUnreachableError

ATTEMPTS = 5
TIMEOUT_SECONDS = 45.0
PASSING = frozenset({429, 502, 503, 504})
"""Too many requests; a proxy, a gateway or a model server that is away or restarts."""

Backoff = Callable[[Exception], bool | float | datetime.timedelta]


def passes(call: Call[object]) -> Backoff:
    """For stamina: True to wait as it thinks best, seconds to wait as the gateway says, False to give up."""

    def decide(error: Exception) -> bool | float | datetime.timedelta:
        if not call.is_repeatable:
            return False
        if isinstance(error, ApiError) and error.problem.status in PASSING:
            return error.retry_after_seconds or True
        return isinstance(error, GatewayUnreachableError)

    return decide
