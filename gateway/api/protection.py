"""The guard in front of every route, as plain ASGI: identity, site, quota, and headers for browsers."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access.callers import ANYONE
from gateway.access.guard import Guard
from gateway.api import problems
from gateway.errors import AccessError, OverloadedError, UnauthenticatedError

PROBES = frozenset({"/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
"""Also asked for by address, from inside the cluster."""
OPEN_PATHS = PROBES | {"/docs", "/openapi.json", "/", "/v1/session"}
"""Need no token: probes and what holds no data. /v1/session is where a token is handed in."""
OPEN_PREFIXES = ("/errors/", "/dashboard/")

BROWSER_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
CONTENT_POLICY = (
    b"content-security-policy",
    b"default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'",
)
PAGE_POLICY = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src 'self' data: blob:; media-src 'self' blob:; form-action 'none'; frame-ancestors 'none'; "
    b"base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
)
"""The dashboard's: no inline script, no foreign origin, and no way to turn a text into markup."""
_POLICIES = {"/": (PAGE_POLICY,), "/docs": ()}  # Swagger's page loads its script from elsewhere


class Protection:
    """ASGI middleware inside the boundary."""

    def __init__(self, app: ASGIApp, guard: Guard, at_once: int) -> None:
        """`at_once`: requests of all callers together that may run."""
        self._app = app
        self._guard = guard
        self._at_once = at_once
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass with its caller in the scope, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        headers = (*BROWSER_HEADERS, *_POLICIES.get(path, (CONTENT_POLICY,)))

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        try:
            self._admit(scope, path)
        except (AccessError, OverloadedError) as error:
            await problems.from_error(scope, error)(scope, receive, send_protected)
            return
        try:
            await self._app(scope, receive, send_protected)
        finally:
            if scope["quota_of"] is not None:
                self._running -= 1
                self._guard.quotas.leave(scope["quota_of"])

    def _admit(self, scope: Scope, path: str) -> None:
        """Set the caller and take a place in its quota. Raises AccessError, OverloadedError."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        address = scope["client"][0] if scope.get("client") else None
        if path not in PROBES:
            self._guard.check_site(scope["method"], headers)
        try:
            scope["caller"] = self._guard.identify(address, headers)
        except UnauthenticatedError:
            if path not in OPEN_PATHS and not path.startswith(OPEN_PREFIXES):
                raise
            scope["caller"] = None
        known = scope["caller"]
        scope["quota_of"] = None
        if path not in PROBES:
            whose = address or "" if known is None or known is ANYONE else known.name
            if self._running >= self._at_once:
                raise OverloadedError(f"{self._at_once} requests are running already; try again in a moment")
            self._guard.quotas.enter(whose)
            self._running += 1
            scope["quota_of"] = whose
