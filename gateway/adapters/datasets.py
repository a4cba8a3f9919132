"""The dataset store as files: `<root>/<dataset>/<split>/<label>/<sha256>.<extension>`.

A picture is written under a dotted name, which nobody reads, and renamed; moving is one rename, and so
is the first step of deleting a dataset.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, get_args
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from contract import layout
from contract.values import LabelName, Name
from gateway.errors import DatasetStoreError
from gateway.ports.datasets import Example

_FILE = re.compile(r"([0-9a-f]{64})\.([a-z]{3,4})", re.ASCII)
_MISSING = (FileNotFoundError, NotADirectoryError)
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_LABEL: TypeAdapter[str] = TypeAdapter(LabelName)


class FileDatasets:
    """A gateway.ports.datasets.DatasetFiles in a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, example: Example, content: bytes) -> None:
        """Write under a dotted name and rename. Not synced: an upload can be repeated."""
        path = self._path(example)
        with _translated(f"{path} cannot be written"):
            if path.exists():
                return
            staging = path.with_name(f".{uuid4().hex}")
            try:
                with _created(staging) as file:
                    file.write(content)
                staging.replace(path)
            except OSError:
                with suppress(OSError):
                    staging.unlink(missing_ok=True)
                raise

    def get(self, example: Example) -> bytes | None:
        """The bytes, or None when a person has removed the file."""
        with (
            suppress(*_MISSING),
            _translated(f"{self._path(example)} cannot be read", _MISSING),
        ):
            return self._path(example).read_bytes()
        return None

    def has(self, example: Example) -> bool:
        """True while the file is there."""
        return self._path(example).is_file()

    def move(self, example: Example, label: str) -> None:
        """Rename below another label."""
        old, new = self._path(example), self._path(example.under(label))
        with _translated(f"{old} cannot be moved below {label!r}", _MISSING):
            if not old.exists() and new.exists():
                return
            new.parent.mkdir(parents=True, exist_ok=True)
            old.replace(new)
        _remove_if_empty(old.parent)

    def delete(self, example: Example) -> None:
        """Remove the file, and its label's folder with the last."""
        path = self._path(example)
        with _translated(f"{path} cannot be deleted", _MISSING), suppress(*_MISSING):
            path.unlink()
        _remove_if_empty(path.parent)

    def delete_dataset(self, dataset: str) -> None:
        """Rename under a dotted name, then remove."""
        trash = self._root / f".trash-{uuid4().hex}"
        with _translated(f"{self._root / dataset} cannot be deleted"):
            with suppress(FileNotFoundError):
                (self._root / dataset).rename(trash)
            if trash.exists():
                shutil.rmtree(trash)

    def walk(self) -> Iterator[tuple[Path, Example | None]]:
        """Every file that is not hidden, with the example that its path says it is."""
        for path in layout.walk_files(self._root):
            yield path, self._example(path)

    def _example(self, path: Path) -> Example | None:
        parts = path.relative_to(self._root).parts
        found = _FILE.fullmatch(parts[-1])
        if len(parts) != 4 or found is None or parts[1] not in get_args(layout.Split):
            return None
        try:
            dataset, label = _NAME.validate_python(parts[0]), _LABEL.validate_python(parts[2])
            status = path.lstat()
        except (ValidationError, OSError):
            return None
        return Example(
            dataset=dataset,
            sha256=found[1],
            split=parts[1],  # type: ignore[arg-type]
            label=label,
            extension=found[2],
            bytes=status.st_size,
            added_at=int(status.st_mtime * 1_000_000),
            source="index",
            caller="",
        )

    def _path(self, example: Example) -> Path:
        place = (example.dataset, example.split, example.label, example.sha256, example.extension)
        return layout.example_path(self._root, *place)


def _created(path: Path) -> BinaryIO:
    """Open a new file; its folder is nearly always there already."""
    try:
        return path.open("xb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


def _remove_if_empty(folder: Path) -> None:
    """A label without pictures is none. Another's file that comes in just now keeps the folder."""
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def _translated(what: str, but: tuple[type[OSError], ...] = ()) -> Iterator[None]:
    """Whatever the volume says, except `but`, as a DatasetStoreError."""
    try:
        yield
    except OSError as error:
        if isinstance(error, but):
            raise
        raise DatasetStoreError(f"{what}: {os.strerror(error.errno or 0)}") from error
