"""The files of a zip, in the order of its directory, in memory that does not grow with their number.

`zipfile` makes an object of each entry before the first can be read: 133 MB for 200,000 files. So it is
shown a few hundred entries at a time: a window in which the archive's own bytes are followed by a slice
of its directory. Only the ends of the directory and of its entries are found here; all else is zipfile's.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from gateway.datasets.members import Bounds, Member, check_files
from gateway.errors import MalformedBodyError
from gateway.settings import DatasetSettings

ENTRIES = 256
"""In one window."""
_ENTRY = struct.Struct("<4s24x3H12x")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_UTF8 = 0x800
_ENCRYPTED = 0x1
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""bzip2 and lzma hardly occur, and lzma takes as much memory as the archive says."""


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the directory lies in the file, and where it says that it lies."""

    start: int
    size: int
    stated_start: int


class ZipMembers:
    """A gateway.datasets.members.Members."""

    def __init__(self, file: BinaryIO, settings: DatasetSettings, image_bytes: int) -> None:
        """Raises MalformedBodyError for what is no zip, TooLargeError for too many files."""
        self._file = file
        self._settings = settings
        self._image_bytes = image_bytes
        self._size = file.seek(0, os.SEEK_END)
        self._directory = _find_directory(file, self._size)
        self._done = 0
        self.total: int | None = 0
        for _ in _slices(file, self._directory, 1):
            self.total += 1
            check_files(self.total, settings)

    @property
    def bytes_done(self) -> int:
        """In proportion to the files, since an archive may hold them in any order."""
        return self._size * self._done // (self.total or 1)

    def __iter__(self) -> Iterator[Member]:
        """Every entry that is no folder."""
        bounds = Bounds(self._settings, self._size)
        for entries in _slices(self._file, self._directory, ENTRIES):
            good = [entry for entry in entries if _has_good_name(entry)]
            with _opened(self._file, self._directory, b"".join(good)) as archive:
                infos = iter(archive.infolist())
                for entry in entries:
                    self._done += 1
                    if not _has_good_name(entry):
                        yield Member(_shown(entry), 0, bytes, refusal="the name is not UTF-8")
                        continue
                    info = next(infos)
                    if not info.is_dir():
                        bounds.file()
                        bounds.unpacked(info.file_size)
                        yield self._member(archive, info)

    def _member(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
        refusal = _refusal(info)
        return Member(_name(info), info.file_size, _reader(archive, info), refusal=refusal)


def _reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return archive.read(info)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            UnicodeDecodeError,
            struct.error,
            RuntimeError,
        ) as error:
            raise ValueError(f"cannot be unpacked: {error}") from error

    return read


def _refusal(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0  # 3: Unix
    if kind not in (0, stat.S_IFREG):
        return "a symbolic link" if kind == stat.S_IFLNK else "a device or another special file"
    if info.flag_bits & _ENCRYPTED:
        return "encrypted; send it without a password"
    if info.compress_type not in _READABLE:
        return f"packed by method {info.compress_type}; expected stored or deflate"
    return None


def _name(info: zipfile.ZipInfo) -> str:
    """Names without the UTF-8 flag are CP437 by the letter, and UTF-8 by the habit of some tools."""
    if not info.flag_bits & _UTF8:
        try:
            return info.filename.encode("cp437").decode()
        except UnicodeError:
            pass
    return info.filename


# --- the directory ------------------------------------------------------------------------------


def _find_directory(file: BinaryIO, size: int) -> _Directory:
    tail_start = max(0, size - _END.size - 0xFFFF)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise MalformedBodyError("the archive is no zip, or it breaks off: its directory is missing")
    _, disk, _, _, _, length, stated, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    if end >= _LOCATOR64.size + _END64.size:
        file.seek(end - _LOCATOR64.size - _END64.size)
        record = file.read(_END64.size + _LOCATOR64.size)
        if record[_END64.size :].startswith(b"PK\x06\x07") and record.startswith(b"PK\x06\x06"):
            length, stated = _END64.unpack_from(record)[8:10]
            end -= _LOCATOR64.size + _END64.size
    start = end - length
    if disk not in (0, 0xFFFF) or start < stated or start < 0:
        raise MalformedBodyError("the zip's directory is damaged, or the archive has several volumes")
    return _Directory(start, length, stated)


def _slices(file: BinaryIO, directory: _Directory, count: int) -> Iterator[list[bytes]]:
    """The raw entries of the directory, `count` at a time."""
    position, end = directory.start, directory.start + directory.size
    batch: list[bytes] = []
    while position < end:
        file.seek(position)
        block = file.read(min(end - position, 1 << 20))
        taken = 0
        while (entry := _entry_at(block, taken)) is not None:
            taken += len(entry)
            batch.append(entry)
            if len(batch) == count:
                yield batch
                batch = []
        if not taken:
            raise MalformedBodyError(f"the zip's directory is damaged at byte {position:,}")
        position += taken
    if batch:
        yield batch


def _entry_at(block: bytes, offset: int) -> bytes | None:
    """The entry that begins there, or None when it is no entry or is not all there."""
    if len(block) - offset < _ENTRY.size:
        return None
    signature, *lengths = _ENTRY.unpack_from(block, offset)
    end = offset + _ENTRY.size + sum(lengths)
    return block[offset:end] if signature == b"PK\x01\x02" and end <= len(block) else None


def _raw_name(entry: bytes) -> bytes:
    return entry[_ENTRY.size : _ENTRY.size + int.from_bytes(entry[28:30], "little")]


def _has_good_name(entry: bytes) -> bool:
    if not int.from_bytes(entry[8:10], "little") & _UTF8:
        return True
    try:
        _raw_name(entry).decode()
    except UnicodeDecodeError:
        return False
    return True


def _shown(entry: bytes) -> str:
    return _raw_name(entry).decode(errors="backslashreplace")


def _opened(file: BinaryIO, directory: _Directory, entries: bytes) -> zipfile.ZipFile:
    """The archive as if it held these entries only."""
    end_at = directory.stated_start + len(entries)
    count = len(entries)  # zipfile goes by the directory's length
    tail = (
        entries
        + _END64.pack(
            b"PK\x06\x06", _END64.size - 12, 45, 45, 0, 0, count, count, len(entries), directory.stated_start
        )
        + _LOCATOR64.pack(b"PK\x06\x07", 0, end_at, 1)
        + _END.pack(b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    )
    try:
        return zipfile.ZipFile(_Window(file, directory.start, tail))
    except (zipfile.BadZipFile, NotImplementedError, struct.error, UnicodeDecodeError) as error:
        raise MalformedBodyError(f"the zip's directory is damaged: {error}") from error


class _Window(io.RawIOBase):
    """The first bytes of a file, followed by a tail in memory."""

    def __init__(self, file: BinaryIO, length: int, tail: bytes) -> None:
        self._file = file
        self._length = length
        self._tail = tail
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length + len(self._tail)}[
            whence
        ]
        if base + offset < 0:
            raise OSError("before the start")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, count: int = -1) -> bytes:
        left = max(0, self._length + len(self._tail) - self._position)
        count = left if count is None or count < 0 else min(count, left)
        content = b""
        if self._position < self._length:
            self._file.seek(self._position)
            content = self._file.read(min(count, self._length - self._position))
        rest = count - len(content)
        offset = self._position + len(content) - self._length
        content += self._tail[offset : offset + rest] if rest and offset >= 0 else b""
        self._position += len(content)
        return content
