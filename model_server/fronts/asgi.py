"""HTTP around rest_api.py: an ASGI application that reads bounded bodies and answers from threads.

Predictions block in TensorFlow, and JSON of megabytes in Python; both happen on worker threads, so that
the event loop stays free to accept and to read.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from model_server.errors import invalid_argument
from model_server.fronts.json_answers import write_error
from model_server.fronts.rest_api import Reply, RestApi, failure

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 256 * 2**20
"""Of a body, before and after it is decompressed. Upstream has no limit but the machine's memory."""

_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
)
"""As AddCORSHeaders of http_rest_api_util.cc."""


class _BodyTooLargeError(Exception):
    pass


class _DisconnectedError(Exception):
    pass


class Application:
    """The ASGI application."""

    def __init__(
        self,
        api: RestApi,
        threads: int,
        pages: Mapping[str, Callable[[], bytes]] | None = None,
        has_cors: bool = False,
    ) -> None:
        """At most `threads` requests are answered at a time; the others wait.

        `pages`: plain texts by path, for Prometheus; `has_cors`: pages of any origin may call.
        """
        self._api = api
        self._pages = pages or {}
        self._headers = _CORS if has_cors else ()
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="rest")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        try:
            reply = await self._reply(scope, receive)
        except _DisconnectedError:
            return
        headers = [
            (b"content-type", reply.content_type.encode()),
            (b"content-length", str(len(reply.body)).encode()),
            *self._headers,
        ]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    async def _reply(self, scope: MutableMapping[str, Any], receive: Receive) -> Reply:
        method = scope["method"]
        path = scope["raw_path"].decode("ascii", "replace") if scope.get("raw_path") else scope["path"]
        if method == "OPTIONS" and self._headers:
            return Reply(200, b"", "text/plain")
        if method == "GET" and path in self._pages:
            return Reply(200, self._pages[path](), "text/plain; version=0.0.4; charset=utf-8")
        if not path.lower().startswith("/v1/"):
            return Reply(404, write_error(f"Not found: {method} {path}; the API is under /v1/"))
        try:
            body = await _read(receive)
        except _BodyTooLargeError:
            return _too_large()
        is_compressed = _header(scope["headers"], b"content-encoding") == b"gzip"
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workers, self._answer, method, path, body, is_compressed)

    def _answer(self, method: str, path: str, body: bytes, is_compressed: bool) -> Reply:
        try:
            content = _decompressed(body) if is_compressed else body
        except _BodyTooLargeError:
            return _too_large()
        except (zlib.error, EOFError) as error:
            return failure(invalid_argument(f"the body is not gzip, as its Content-Encoding says: {error}"))
        return self._api.answer(method, path, content)


def _too_large() -> Reply:
    return Reply(413, write_error(f"the body is larger than {MAX_BODY_BYTES} bytes"))


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _DisconnectedError
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _BodyTooLargeError
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _decompressed(body: bytes) -> bytes:
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    content = decompressor.decompress(body, MAX_BODY_BYTES)
    if decompressor.unconsumed_tail:
        raise _BodyTooLargeError
    if not decompressor.eof:
        raise EOFError("it ends too early")
    return content


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    return next((value.strip().lower() for key, value in headers if key == name), b"")
