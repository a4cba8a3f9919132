"""What an archive may hold, how it fails, and how its pictures get written."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Advance = Callable[[int], None]
"""Called with the number of pictures written since the last call."""


class ArchiveError(ValueError):
    """The archive cannot be used; the message says what in it, and why."""


@dataclass(frozen=True)
class Limits:
    """What an archive of class folders may unpack to, checked before it is written."""

    members: int = 2_000_000
    bytes_in_all: int = 64 * 2**30
    bytes_per_file: int = 64 * 2**20
    ratio: float = 100.0
    """Unpacked to packed size: pictures are compressed already, so more is a bomb …"""
    bytes_without_ratio: int = 256 * 2**20
    """… once the archive unpacks to more than this."""


def class_name(name: str) -> str:
    if not name or name.startswith(".") or "/" in name or "\\" in name or not name.isprintable():
        raise ArchiveError(f"a class is called {name!r}; that cannot be a folder's name")
    return name


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise ArchiveError(f"two pictures would both be {path.parent.name}/{path.name}") from error


@contextmanager
def readable(archive: Path) -> Iterator[None]:
    """One error for the many that a damaged archive raises while it is read."""
    try:
        yield
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        lzma.LZMAError,
        zlib.error,
        EOFError,
        NotImplementedError,
    ) as error:
        raise ArchiveError(f"{archive} cannot be read as a tar or zip: {error}. Is it complete?") from error
