"""A request body to a spool on disk: a form of pictures with labels, a form with an archive, an archive.

Nothing is held but what arrived since the last write. Whoever sends slowly may, as long as something
arrives.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import ExitStack
from typing import BinaryIO

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from gateway.api.headers import header
from gateway.datasets.members import check_files
from gateway.datasets.pace import Pace
from gateway.datasets.paths import RefusedPathError, checked_label
from gateway.datasets.spool import Spool
from gateway.errors import (
    DatasetStoreError,
    MalformedBodyError,
    SlowBodyError,
    TooLargeError,
    UnsupportedTypeError,
)
from gateway.settings import DatasetSettings, LimitSettings

ARCHIVE_TYPES = frozenset(
    {
        "application/zip",
        "application/x-zip-compressed",
        "application/x-tar",
        "application/gzip",
        "application/x-gzip",
    }
)
_ACCEPTED = (
    "multipart/form-data with `images` and `label`, or with `archive`; or application/zip, application/x-tar "
    "or application/gzip"
)
_WRITE_BYTES = 1024 * 1024
_LABEL_BYTES = 1024
_MAX_FILENAME = 255


class Spooling:
    """Takes bodies within the limits."""

    def __init__(self, settings: DatasetSettings, limits: LimitSettings) -> None:
        self._settings = settings
        self._limits = limits

    async def receive(self, spool: Spool, scope: Scope, receive: Receive) -> None:
        """Write a whole body to the spool.

        Raises UnsupportedTypeError, TooLargeError, MalformedBodyError, SlowBodyError, DatasetStoreError, and
        starlette's ClientDisconnect.
        """
        self._check_size(int(header(scope, b"content-length") or 0))
        content_type = header(scope, b"content-type") or ""
        kind, options = parse_options_header(content_type)
        with ExitStack() as files:
            try:
                if kind == "multipart/form-data":
                    form = _Form(spool, files, options.get("boundary", ""), self._settings)
                    await self._pump(form, receive)
                    await asyncio.to_thread(form.finish)
                elif kind in ARCHIVE_TYPES:
                    await self._pump(_Archive(spool, files), receive)
                else:
                    raise UnsupportedTypeError(
                        f"got Content-Type {content_type[:100]!r}; expected {_ACCEPTED}"
                    )
            except OSError as error:
                reason = os.strerror(error.errno or 0)
                raise DatasetStoreError(f"the upload cannot be written to disk: {reason}") from error

    async def _pump(self, taker: _Archive | _Form, receive: Receive) -> None:
        size = 0
        more = True
        pace = Pace(self._settings.upload_core_share)
        while more:
            try:
                async with asyncio.timeout(self._limits.body_seconds):
                    message = await receive()
            except TimeoutError as error:
                seconds = f"{self._limits.body_seconds:g} s"
                raise SlowBodyError(f"{size} bytes of the body came, and then none for {seconds}") from error
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message.get("more_body", False)
            chunk = message.get("body", b"")
            size += len(chunk)
            self._check_size(size)
            taker.feed(chunk)
            if taker.waiting >= _WRITE_BYTES:
                await asyncio.to_thread(taker.write)
                await asyncio.sleep(pace.owed_seconds())  # what is not read holds the sender up
        await asyncio.to_thread(taker.write)

    def _check_size(self, size: int) -> None:
        limit = self._settings.upload_bytes
        if size > limit:
            raise TooLargeError(
                f"the upload has more than {limit:,} bytes (GATEWAY_DATASETS__UPLOAD_BYTES); send it in parts"
            )


class _Archive:
    """The body is the archive."""

    def __init__(self, spool: Spool, files: ExitStack) -> None:
        self._file: BinaryIO = files.enter_context(spool.content.open("wb"))
        self._chunks: list[bytes] = []
        self.waiting = 0

    def feed(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self.waiting += len(chunk)

    def write(self) -> None:
        self._file.write(b"".join(self._chunks))
        self._file.flush()
        self._chunks.clear()
        self.waiting = 0


class _Form:
    """The body is a form. Its parts may come in any order."""

    def __init__(self, spool: Spool, files: ExitStack, boundary: str, settings: DatasetSettings) -> None:
        self._spool = spool
        self._settings = settings
        self._content = _Archive(spool, files)
        self._lines = {
            "images": files.enter_context(spool.pictures.open("wb")),
            "label": files.enter_context(spool.labels.open("wb")),
        }
        self._counts = dict.fromkeys(("images", "label", "labels", "archive"), 0)
        self._name = ""
        self._filename = ""
        self._size = 0
        self._text = bytearray()
        try:
            self._parser = PushMultipartParser(boundary)
        except MultipartError as error:
            raise MalformedBodyError(f"the Content-Type names no usable boundary: {error}") from error

    @property
    def waiting(self) -> int:
        return self._content.waiting

    def write(self) -> None:
        self._content.write()

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
                    self._extend_part(bytes(event))
        except MultipartError as error:
            raise MalformedBodyError(f"the multipart body is broken: {error}") from error

    def finish(self) -> None:
        """The whole form is there. Raises MalformedBodyError when its parts do not belong together."""
        try:
            self._parser.close()
        except MultipartError as error:
            raise MalformedBodyError(f"the multipart body is broken: {error}") from error
        for file in self._lines.values():
            file.flush()
        images, label, labels, archive = self._counts.values()
        if archive:
            self._spool.pictures.unlink()
            return
        if not images:
            raise MalformedBodyError(f"the form holds no file; expected {_ACCEPTED}")
        if not (label == 1 and labels == 0) and not (label == 0 and labels == images):
            raise MalformedBodyError(
                f"{images} pictures with {label} × `label` and {labels} × `labels`; expected one `label` for "
                "all, or one `labels` for each picture in their order"
            )

    def _begin_part(self, part: MultipartSegment) -> None:
        name = part.name or ""
        if name not in self._counts:
            raise MalformedBodyError(f"unexpected field {name[:80]!r}; expected {_ACCEPTED}")
        is_text = part.filename is None and (part.content_type or "text/plain").startswith("text/")
        if is_text != (name in ("label", "labels")):
            expected = "a file (curl: -F images=@photo.jpg)" if is_text else "text"
            raise MalformedBodyError(f"the field {name!r} must be {expected}")
        self._counts[name] += 1
        if self._counts["archive"] and sum(self._counts.values()) > 1:
            raise MalformedBodyError(
                "an `archive` stands alone: its folders are the labels; send others by themselves"
            )
        check_files(self._counts["images"], self._settings)
        check_files(self._counts["labels"], self._settings)
        self._name, self._size = name, 0
        self._filename = (part.filename or "")[:_MAX_FILENAME]
        self._text.clear()

    def _extend_part(self, chunk: bytes) -> None:
        if self._name in ("images", "archive"):
            self._size += len(chunk)
            self._content.feed(chunk)
            return
        self._text += chunk
        if len(self._text) > _LABEL_BYTES:
            raise MalformedBodyError(
                f"a label of more than {_LABEL_BYTES} bytes; at most 120 characters are accepted"
            )

    def _end_part(self) -> None:
        if self._name == "images":
            self._lines["images"].write(json.dumps([self._filename, self._size]).encode() + b"\n")
        elif self._name != "archive":
            self._lines["label"].write(json.dumps(self._label()).encode() + b"\n")

    def _label(self) -> str:
        try:
            return checked_label(self._text.decode())
        except (UnicodeDecodeError, RefusedPathError) as error:
            raise MalformedBodyError(f"the field {self._name!r}: {error}") from error
