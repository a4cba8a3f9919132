"""What is read travels packed: a page of history is a tenth of itself.

Predictions are answered as they are, because their answers are small and their time counts; so is what
streams (logs, CSV), which packing would hold back, and pictures, which are packed already.
"""

from __future__ import annotations

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

SMALLEST_BYTES = 1024
LEVEL = 5
"""Half a megabyte of JSON takes milliseconds; higher levels take several times as long for a few percent."""


class Packing:
    """ASGI middleware around the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        excluded = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "text/*", "image/*")
        self._packed = GZipMiddleware(app, SMALLEST_BYTES, LEVEL, exclude_content_types=excluded)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pack the answer when it is read from the API and the caller takes it packed."""
        is_read = scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith("/v1/")
        await (self._packed if is_read else self._app)(scope, receive, send)
