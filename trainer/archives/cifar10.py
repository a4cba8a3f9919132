"""The original CIFAR-10 archive: pickles of raw pixels in a tar."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from contract.images import encode_png
from trainer.archives.limits import Advance, ArchiveError, class_name, readable, write
from trainer.archives.pickles import unpickle

CIFAR10_FOLDER = "cifar-10-batches-py"
BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
META = "batches.meta"


@dataclass(frozen=True)
class _Batch:
    pixels: npt.NDArray[np.uint8]
    """[N, 32, 32, 3], RGB."""
    classes: list[int]


def is_cifar10(archive: Path) -> bool:
    """True for a tar whose first entry lies in the folder of the original archive."""
    try:
        with tarfile.open(archive) as tar:
            first = tar.next()
    except (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error):
        return False
    return first is not None and PurePosixPath(first.name).parts[:1] == (CIFAR10_FOLDER,)


def unpack_cifar10(archive: Path, folder: Path, advance: Advance) -> None:
    """Write every picture as a lossless PNG to `<folder>/{train,test}/<class>/<nnnn>.png`.

    Raises:
        ArchiveError: a file is missing, asks for code, or does not hold 32 × 32 pictures with labels.
        OSError: the disk is full, …
    """
    pickles = _read_pickles(archive)
    labels = _labels(pickles.pop(META, None))
    numbers: Counter[tuple[str, str]] = Counter()
    for split, name in [(split, name) for split, names in BATCHES.items() for name in names]:
        batch = _batch(name, pickles.pop(name, None), len(labels))
        for pixels, class_ in zip(batch.pixels, batch.classes, strict=True):
            place = split, labels[class_]
            write(folder.joinpath(*place, f"{numbers[place]:04}.png"), encode_png(pixels.tobytes(), 32, 32))
            numbers[place] += 1
            advance(1)


def _read_pickles(archive: Path) -> dict[str, Any]:
    """The unpickled files of the archive by their base names."""
    wanted = {f"{CIFAR10_FOLDER}/{name}" for name in (META, *BATCHES["train"], *BATCHES["test"])}
    with readable(archive), tarfile.open(archive) as tar:
        return {
            PurePosixPath(member.name).name: unpickle(member, tar.extractfile(member))
            for member in tar
            if member.isreg() and member.name in wanted
        }


def _labels(meta: Any) -> list[str]:
    names = meta.get(b"label_names") if isinstance(meta, Mapping) else None
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise ArchiveError(f"{CIFAR10_FOLDER}/{META} is missing or names no labels; is the archive whole?")
    return [class_name(name.decode("utf-8", "replace")) for name in names]


def _batch(name: str, content: Any, classes: int) -> _Batch:
    try:
        indices = [int(label) for label in content[b"labels"]]
        _, shape, data_type, is_fortran, raw = content[b"data"].state
        if data_type.name not in (b"u1", "u1") or tuple(shape) != (len(indices), 3072):
            raise ValueError(f"{shape} of type {data_type.name} with {len(indices)} labels")
        if not all(0 <= index < classes for index in indices):
            raise ValueError(f"a label outside 0 to {classes - 1}")
        planes = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if is_fortran else "C")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArchiveError(
            f"{CIFAR10_FOLDER}/{name} is missing, or does not hold 3072 bytes and a label a picture: {error}"
        ) from error
    return _Batch(planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), indices)
