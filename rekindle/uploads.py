"""Folders of pictures on their way to a dataset: packed into zips that one request can carry.

What was sent already is found again by its content, so a broken upload is simply sent again.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz"})
BATCH_FILES = 500
BATCH_BYTES = 16 * 1024 * 1024
"""Whichever comes first: small enough to be answered at once, with a report of every file."""


@dataclass(frozen=True)
class Labelled:
    """A picture and where it lies below the dataset: `<label>/<file>`, or `test/<label>/<file>`."""

    path: Path
    name: str


def found(paths: Sequence[Path], label: str | None) -> list[Labelled]:
    """The pictures of folders and files; with a label all get it, without one their folders are it.

    Raises FileNotFoundError, ValueError.
    """
    pictures: list[Labelled] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.suffix.lower() in PICTURES)
            pictures += [Labelled(one, _name(one, path, label)) for one in inside]
        elif not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        elif label is None:
            raise ValueError(f"{path} is a file: say by --label what it shows, or give a folder of folders")
        else:
            pictures.append(Labelled(path, f"{label}/{path.name}"))
    if not pictures:
        raise ValueError(
            f"no picture in {', '.join(map(str, paths))}; known are {' '.join(sorted(PICTURES))}"
        )
    return pictures


def _name(picture: Path, folder: Path, label: str | None) -> str:
    inside = picture.relative_to(folder)
    return f"{label}/{'-'.join(inside.parts)}" if label is not None else inside.as_posix()


def batches(pictures: Sequence[Labelled]) -> Iterator[tuple[int, bytes]]:
    """Zips of some pictures each, with the number of pictures in them. Raises OSError."""
    batch: list[Labelled] = []
    size = 0
    for picture in pictures:
        bytes_ = picture.path.stat().st_size
        if batch and (len(batch) == BATCH_FILES or size + bytes_ > BATCH_BYTES):
            yield len(batch), packed(batch)
            batch, size = [], 0
        batch.append(picture)
        size += bytes_
    yield len(batch), packed(batch)


def packed(pictures: Sequence[Labelled]) -> bytes:
    """A zip of these; not compressed, since pictures are already."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for picture in pictures:
            archive.write(picture.path, picture.name)
    return file.getvalue()
