"""Uploads on disk while they are worked off: `<data>/.spool/<id>/`, a hidden folder of the dataset store.

An archive is spooled as it came. Single pictures are written one behind the other into one file, with
their names and labels beside it, so that neither pictures nor labels are ever held in memory together.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

from gateway.datasets.members import Member, Members, check_files
from gateway.datasets.tars import TarMembers
from gateway.datasets.zips import ZipMembers
from gateway.errors import DatasetStoreError
from gateway.settings import DatasetSettings

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


class Spool:
    """One upload."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name

    @property
    def content(self) -> Path:
        """The archive, or the pictures one behind the other."""
        return self.folder / "content"

    @property
    def pictures(self) -> Path:
        """A line [name, size] for each picture; only when it is no archive."""
        return self.folder / "pictures.jsonl"

    @property
    def labels(self) -> Path:
        """A line for each label: one for all pictures, or one for each."""
        return self.folder / "labels.jsonl"

    @contextmanager
    def members(self, settings: DatasetSettings, image_bytes: int) -> Iterator[Members]:
        """The files of the upload. Blocks. Raises FileNotFoundError, MalformedBodyError, TooLargeError."""
        with self.content.open("rb") as file:
            if self.pictures.exists():
                yield PictureMembers(self, file, settings)
                return
            is_zip = file.read(4) in _ZIP
            yield (ZipMembers if is_zip else TarMembers)(file, settings, image_bytes)

    def remove(self) -> None:
        """Forget the upload. Blocks."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Spools:
    """Every upload that is on its way."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, upload_id: str) -> Spool:
        """An empty spool. Raises DatasetStoreError."""
        spool = self.of(upload_id)
        try:
            spool.folder.mkdir(parents=True)
        except OSError as error:
            raise DatasetStoreError(
                f"{spool.folder} cannot be made: {os.strerror(error.errno or 0)}"
            ) from error
        return spool

    def of(self, upload_id: str) -> Spool:
        """The spool of an upload, whether it is there or not."""
        return Spool(self._root / upload_id)

    def abandoned(self, older_than_seconds: float) -> list[Spool]:
        """Spools that nothing has been written to for so long. Blocks."""
        before = time.time() - older_than_seconds
        spools = []
        with suppress(FileNotFoundError):
            spools = [Spool(path) for path in self._root.iterdir() if path.is_dir()]
        return [spool for spool in spools if _last_written(spool.folder) < before]


def _last_written(folder: Path) -> float:
    moments = [folder.stat().st_mtime]
    with suppress(FileNotFoundError):
        moments += [path.stat().st_mtime for path in folder.iterdir()]
    return max(moments)


class PictureMembers:
    """A gateway.datasets.members.Members of single pictures with given labels."""

    def __init__(self, spool: Spool, file: BinaryIO, settings: DatasetSettings) -> None:
        self._spool = spool
        self._file = file
        self.bytes_done = 0
        with spool.pictures.open("rb") as lines:
            self.total: int | None = sum(1 for _ in lines)
        check_files(self.total, settings)

    def __iter__(self) -> Iterator[Member]:
        """Every picture, in the order of the form."""
        with self._spool.pictures.open("rb") as pictures, self._spool.labels.open("rb") as labels:
            lines = list(_head(labels, 2))
            labels.seek(0)
            each = repeat(lines[0]) if len(lines) == 1 else labels
            for picture, label in zip(pictures, each, strict=False):
                name, size = json.loads(picture)
                offset, self.bytes_done = self.bytes_done, self.bytes_done + size
                yield Member(name, size, self._reader(offset, size), label=json.loads(label))

    def _reader(self, offset: int, size: int) -> Callable[[], bytes]:
        def read() -> bytes:
            self._file.seek(offset)
            return self._file.read(size)

        return read


def _head(lines: BinaryIO, count: int) -> Iterator[bytes]:
    for _, line in zip(range(count), lines, strict=False):
        yield line
