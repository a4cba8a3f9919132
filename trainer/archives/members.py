"""The files of a tar or zip, one after the other, with what their headers announce."""

from __future__ import annotations

import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trainer.archives.limits import ArchiveError, readable

_TAIL_BYTES = 2**24


@dataclass(frozen=True)
class Member:
    name: str
    size: int
    read: Callable[[], bytes]


def members(archive: Path) -> Iterator[Member]:
    with readable(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                yield from (_zip_member(file, entry) for entry in file.infolist() if not entry.is_dir())
        else:
            with tarfile.open(archive) as tar:
                yield from (_tar_member(tar, entry) for entry in tar if not entry.isdir())
                _check_end(tar)


def _zip_member(file: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Member:
    mode = stat.S_IFMT(entry.external_attr >> 16)
    if mode not in (0, stat.S_IFREG):
        raise ArchiveError(f"{entry.filename!r} is a link or device; only files and folders are accepted")
    if entry.flag_bits & 1:
        raise ArchiveError(f"{entry.filename!r} is encrypted; unpack it and pass the folder to training")
    return Member(entry.filename, entry.file_size, lambda: file.read(entry))


def _tar_member(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Member:
    if not entry.isreg():
        raise ArchiveError(f"{entry.name!r} is a link or device; only files and folders are accepted")

    def read() -> bytes:
        content = tar.extractfile(entry)
        return b"" if content is None else content.read()

    return Member(entry.name, entry.size, read)


def _check_end(tar: tarfile.TarFile) -> None:
    """tarfile takes any broken header for the end of the archive; a whole one ends in a block of zeros."""
    assert tar.fileobj is not None  # noqa: S101  (only a closed TarFile has none)
    tar.fileobj.seek(tar.offset)
    tail = tar.fileobj.read(_TAIL_BYTES)  # to the very end, where gzip and xz keep their checksums
    if len(tail) < tarfile.BLOCKSIZE or any(tail[: tarfile.BLOCKSIZE]):
        raise tarfile.ReadError(f"it breaks off after {tar.offset:,} bytes")
