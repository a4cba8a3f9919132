"""The gateway's HTTP API as Python calls, for programs that wait (Client) and that do not (AsyncClient).

Thin: one method a route, one request a call. What a request is and how its answer is read is said once, in
calls/; both clients send it. A call that may be repeated without harm is repeated for a while when the
gateway cannot be reached, is overloaded or says that it is not ready (retries.py). Answers are in
rekindle/answers/, every failure is a rekindle.errors.RekindleError.
"""

from __future__ import annotations

from rekindle.client.asynchronous import AsyncClient
from rekindle.client.calls.call import Picture
from rekindle.client.connection import DEFAULT_TIMEOUT_SECONDS, DEFAULT_URL
from rekindle.client.synchronous import Client

__all__ = ["DEFAULT_TIMEOUT_SECONDS", "DEFAULT_URL", "AsyncClient", "Client", "Picture"]
