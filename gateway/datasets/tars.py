"""The files of a tar, packed with gzip or not, in one pass and in memory that does not grow.

`tarfile` trusts headers: it reads names of any length into memory, keeps what it has seen, and takes a
damaged header for the end. So what it may read between two files is bounded, what it keeps is dropped,
and damage is told from an end.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar, cast

from gateway.datasets.members import Bounds, Member
from gateway.errors import MalformedBodyError, TooLargeError
from gateway.settings import DatasetSettings

HEADER_BYTES = 1024 * 1024
"""Names and attributes of one file; Linux ends a path at 4,096 bytes."""
T = TypeVar("T")
GZIP = b"\x1f\x8b"
_DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, RecursionError, OverflowError)


class TarMembers:
    """A gateway.datasets.members.Members."""

    total: int | None = None

    def __init__(self, file: BinaryIO, settings: DatasetSettings, image_bytes: int) -> None:
        self._file = file
        self._image_bytes = image_bytes
        self._settings = settings
        self._size = file.seek(0, os.SEEK_END)

    @property
    def bytes_done(self) -> int:
        """As far as the file has been read."""
        return min(self._file.tell(), self._size)

    def __iter__(self) -> Iterator[Member]:
        """Every member that is no folder. Raises MalformedBodyError, TooLargeError."""
        self._file.seek(0)
        is_packed = self._file.read(2) == GZIP
        self._file.seek(0)
        bounds = Bounds(self._settings, self._size)
        unpacked: BinaryIO = gzip.GzipFile(fileobj=self._file) if is_packed else self._file  # type: ignore[assignment]
        stream = _Metered(unpacked, bounds)
        archive = _guarded(lambda: _open(stream))
        while (info := _guarded(archive.next)) is not None:
            stream.allow(info.size + HEADER_BYTES)
            archive.members.clear()  # type: ignore[attr-defined]
            archive.pax_headers = {}
            if not info.isdir():
                bounds.file()
                yield Member(info.name, info.size, _reader(archive, info), refusal=_refusal(info))


def _open(stream: _Metered) -> tarfile.TarFile:
    return tarfile.open(
        fileobj=cast(BinaryIO, stream),
        mode="r|",
        tarinfo=_StrictInfo,
        encoding="utf-8",
        errors="surrogateescape",
    )


def _guarded(step: Callable[[], T]) -> T:
    """Whatever tarfile raises about bytes that are no tar, in one sentence."""
    try:
        return step()
    except _DAMAGE as error:
        raise MalformedBodyError(
            f"the archive is no tar (packed with gzip or not), or is damaged: {error}"
        ) from error


def _reader(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        file = _guarded(lambda: archive.extractfile(info))
        content = _guarded(file.read) if file else b""
        if len(content) != info.size:
            raise MalformedBodyError("the archive breaks off")
        return content

    return read


def _refusal(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return "a symbolic link" if info.issym() else "a hard link"
    if not info.isreg() or info.issparse():
        return "a device or another special file"
    return None


class _StrictInfo(tarfile.TarInfo):
    """A header that is damaged is damage, not the end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _StrictInfo:
        """The next header."""
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:  # also when the file ends without the block of zeros
            raise tarfile.ReadError(f"a header is damaged: {error}") from error


class _Metered:
    """A stream that counts, and ends when more is read than was allowed."""

    def __init__(self, file: BinaryIO, bounds: Bounds) -> None:
        self._file = file
        self._bounds = bounds
        self._allowed = HEADER_BYTES

    def allow(self, count: int) -> None:
        """So many bytes may follow: a file, and the next one's header."""
        self._allowed = count

    def read(self, count: int) -> bytes:
        """At most `count` bytes. Raises TooLargeError, or what the file raises."""
        if self._allowed <= 0:
            raise TooLargeError(f"the archive has a header of more than {HEADER_BYTES:,} bytes")
        content = self._file.read(count)
        self._allowed -= len(content)
        self._bounds.unpacked(len(content))
        return content
