"""The outermost layer of every HTTP request: its id, its metrics, and what nobody else caught.

Plain ASGI, because Starlette's BaseHTTPMiddleware costs a task and a queue for each request.
"""

from __future__ import annotations

import logging
import re
from time import perf_counter
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import logs
from gateway.api import problems
from gateway.api.headers import header
from gateway.ids import new_id
from gateway.metrics import Metrics
from gateway.statistics.counter import ActivityCounter

log = logging.getLogger(__name__)

HEADER = b"x-request-id"
CLIENT_CLOSED = 499
"""In the metrics only: the caller left before the answer (nginx' convention)."""

PREDICTIONS = frozenset(
    (
        "/v1/models/{model}/predictions",
        "/v2/models/{model}/infer",
        "/v2/models/{model}/versions/{version}/infer",
    )
)
"""What availability is about."""

_STATUSES = (200, 500, 502, 503, 504)
"""Counted from 0, because a rate does not see the first of a series that appears with it."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Boundary:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, metrics: Metrics, activity: ActivityCounter) -> None:
        self._app = app
        self._metrics = metrics
        self._activity = activity
        for route in PREDICTIONS:
            for status in _STATUSES:
                metrics.requests.labels("POST", route, status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; lifespan events pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        scope["request_id"] = request_id = _request_id(scope)
        logs.request_id.set(request_id)
        status = CLIENT_CLOSED
        id_header = (HEADER, request_id.encode())

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], id_header]
            await send(message)

        self._metrics.requests_in_flight.inc()
        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            pass
        except Exception:
            log.exception("unexpected error", extra={"path": scope["path"][:200]})
            if status == CLIENT_CLOSED:  # nothing was sent yet
                await _internal(scope)(scope, receive, send_with_id)
        finally:
            self._metrics.requests_in_flight.dec()
            self._observe(scope, status, perf_counter() - started)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Labels are templates and known methods only, never what a caller typed."""
        route = getattr(scope.get("route"), "path_format", None) or "unmatched"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        if route in PREDICTIONS:
            self._activity.note(status, seconds)


def _request_id(scope: Scope) -> str:
    """The caller's id if it is harmless, else a new one."""
    given = header(scope, HEADER)
    return given if given and _REQUEST_ID.fullmatch(given) else new_id()


def _internal(scope: Scope) -> Any:
    detail = "an unexpected error, which is our fault; the log has it under this request_id"
    return problems.response(scope, problems.INTERNAL, detail)
