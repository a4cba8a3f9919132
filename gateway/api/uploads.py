"""A request body to pictures: streamed, bounded, in memory.

Multipart is parsed as it arrives by `multipart`'s push parser (13 µs for one small picture; python-multipart
takes 31 µs, streaming-form-data 546 µs). Every limit is checked before more is read, and all bodies
together may hold only so many bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from gateway.api.headers import header
from gateway.errors import (
    MalformedBodyError,
    OverloadedError,
    SlowBodyError,
    TooLargeError,
    UnsupportedTypeError,
)
from gateway.metrics import Metrics
from gateway.serving.decoding import Picture
from gateway.settings import LimitSettings

FIELD = "images"
_MAX_FILENAME = 255
_ACCEPTED = "multipart/form-data with `images` parts, image/*, or application/octet-stream"


class _Feeds(Protocol):
    """Takes chunks."""

    def feed(self, chunk: bytes) -> None: ...


class _Collector(_Feeds, Protocol):
    """Turns chunks into pictures."""

    def finish(self) -> list[Picture]: ...


class Uploads:
    """Reads request bodies within the limits."""

    def __init__(self, limits: LimitSettings, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._held_bytes = 0

    @property
    def images_per_request(self) -> int:
        """How many images one request may hold."""
        return self._limits.images_per_request

    @asynccontextmanager
    async def read(self, scope: Scope, receive: Receive) -> AsyncIterator[list[Picture]]:
        """The pictures of a request, at least one; their bytes count as held until the context ends.

        Raises UnsupportedTypeError, TooLargeError, MalformedBodyError, SlowBodyError, OverloadedError, and
        starlette's ClientDisconnect.
        """
        collector = self._collector(header(scope, b"content-type") or "")
        async with self._read(collector, scope, receive):
            yield collector.finish()

    @asynccontextmanager
    async def read_body(self, scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
        """The whole body as it came, under the same limits; raises the same."""
        body = _Body()
        async with self._read(body, scope, receive):
            yield body.finish()

    @asynccontextmanager
    async def _read(self, collector: _Feeds, scope: Scope, receive: Receive) -> AsyncIterator[None]:
        self._check_announced(header(scope, b"content-length"))
        held = _Held(self)
        try:
            try:
                async with asyncio.timeout(self._limits.body_seconds):
                    await self._receive_into(collector, receive, held)
            except TimeoutError as error:
                seconds = f"{self._limits.body_seconds:g} s"
                raise SlowBodyError(f"{held.bytes} bytes and no end of the body after {seconds}") from error
            yield
        finally:
            held.release()

    async def _receive_into(self, collector: _Feeds, receive: Receive, held: _Held) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message.get("more_body", False)
            if chunk := message.get("body", b""):
                held.add(len(chunk))
                collector.feed(chunk)

    def hold(self, count: int, total: int) -> None:
        """Account for `count` more bytes of a body that has `total` now."""
        self._held_bytes += count
        self._metrics.body_bytes.set(self._held_bytes)
        if total > self._limits.body_bytes:
            raise TooLargeError(f"the body exceeds {self._limits.body_bytes:,} bytes; send fewer pictures")
        if self._held_bytes > self._limits.bodies_bytes:
            raise OverloadedError("the memory for request bodies is full; try again in a moment")

    def release(self, count: int) -> None:
        """`count` bytes are no longer in memory."""
        self._held_bytes -= count
        self._metrics.body_bytes.set(self._held_bytes)

    def _check_announced(self, content_length: str | None) -> None:
        if content_length is not None and int(content_length) > self._limits.body_bytes:
            limit = f"{self._limits.body_bytes:,}"
            raise TooLargeError(f"the body has {int(content_length):,} bytes; at most {limit} are accepted")

    def _collector(self, content_type: str) -> _Collector:
        kind, options = parse_options_header(content_type)
        if kind == "multipart/form-data":
            return _MultipartPictures(options.get("boundary", ""), self._limits)
        if kind.startswith("image/") or kind == "application/octet-stream":
            return _RawPicture(self._limits)
        raise UnsupportedTypeError(f"got Content-Type {content_type[:100]!r}; expected {_ACCEPTED}")


class _Held:
    """The bytes of one body, as long as they are in memory."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
        self.bytes = 0

    def add(self, count: int) -> None:
        self.bytes += count
        self._uploads.hold(count, self.bytes)

    def release(self) -> None:
        self._uploads.release(self.bytes)


class _Body:
    """The body, and nothing made of it."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def finish(self) -> bytes:
        return b"".join(self._chunks)


class _RawPicture:
    """The body is the picture."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limit = limits.image_bytes
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        self._size += len(chunk)
        _check_size(self._size, self._limit)
        self._chunks.append(chunk)

    def finish(self) -> list[Picture]:
        return [Picture(b"".join(self._chunks))]


class _MultipartPictures:
    """The body is a form; each part called `images` is a picture."""

    def __init__(self, boundary: str, limits: LimitSettings) -> None:
        self._limits = limits
        self._pictures: list[Picture] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._filename: str | None = None
        try:
            self._parser = PushMultipartParser(boundary)
        except MultipartError as error:
            raise MalformedBodyError(f"the Content-Type names no usable boundary: {error}") from error

    def feed(self, chunk: bytes) -> None:
        if self._parser.closed:  # what follows the last boundary says nothing
            return
        try:
            for event in self._parser.parse(chunk):
                if event is None:
                    self._end_part()
                elif isinstance(event, MultipartSegment):
                    self._begin_part(event)
                else:
                    self._extend_part(event)
        except MultipartError as error:
            raise _broken(error) from error

    def finish(self) -> list[Picture]:
        try:
            self._parser.close()
        except MultipartError as error:
            raise _broken(error) from error
        if not self._pictures:
            raise MalformedBodyError("the form is empty; send each picture as a file in the field `images`")
        return self._pictures

    def _begin_part(self, part: MultipartSegment) -> None:
        if len(self._pictures) >= self._limits.images_per_request:
            raise TooLargeError(f"more than {self._limits.images_per_request} parts; send fewer at once")
        if part.name != FIELD:
            name = (part.name or "")[:80]
            raise MalformedBodyError(f"unexpected field {name!r}; send pictures in the field `images`")
        if part.filename is None and (part.content_type or "text/plain").startswith("text/"):
            raise MalformedBodyError("the field `images` is text; send a file (curl: -F images=@photo.jpg)")
        self._filename = part.filename[:_MAX_FILENAME] if part.filename else None

    def _extend_part(self, chunk: bytes | bytearray) -> None:
        self._size += len(chunk)
        _check_size(self._size, self._limits.image_bytes)
        self._chunks.append(bytes(chunk))

    def _end_part(self) -> None:
        self._pictures.append(Picture(b"".join(self._chunks), self._filename))
        self._chunks.clear()
        self._size = 0


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise TooLargeError(f"a picture has more than {limit:,} bytes; send a smaller one")


def _broken(error: MultipartError) -> MalformedBodyError:
    return MalformedBodyError(f"the multipart body is broken: {error}")
