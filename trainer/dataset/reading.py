"""Files of labelled pictures: found, read, hashed, decoded, each content once.

What a file is used for (split, replay, judgement) is decided by trainer.dataset.loading,
trainer.tuning.replay and trainer.gate.judgement, which call this.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from contract import images, layout
from contract.card import SkippedFile
from contract.image_spec import ImageSpec

_READ_AHEAD = 256

Progress = Callable[[int, int], None]
"""Called with (done, total) while files are read."""


@dataclass(frozen=True)
class Examples:
    """One split, decoded."""

    images: npt.NDArray[np.uint8]
    """uint8, [N, H, W, 3], RGB, 0–255."""
    truth: npt.NDArray[np.int64]
    """int64, [N], indices into the labels."""
    paths: list[str]
    """Relative to the data folder, in the order of the arrays."""
    digests: list[str]
    """Hex SHA-256 of each file."""

    def __len__(self) -> int:
        return len(self.paths)

    def at(self, indices: Sequence[int]) -> Examples:
        """Some of them, in this order, as often as they are named."""
        chosen = np.asarray(indices, np.int64)
        return Examples(
            self.images[chosen],
            self.truth[chosen],
            [self.paths[index] for index in indices],
            [self.digests[index] for index in indices],
        )


def joined(parts: Sequence[Examples]) -> Examples:
    """All of them, in this order."""
    return Examples(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.truth for part in parts]),
        [path for part in parts for path in part.paths],
        [digest for part in parts for digest in part.digests],
    )


@dataclass(frozen=True)
class File:
    """One file under a label."""

    path: Path
    relative: str
    """To the data folder."""
    label: int
    """Index into the labels."""

    @property
    def is_upload(self) -> bool:
        """True for what came through the gateway."""
        return layout.is_upload(self.path.name)


@dataclass(frozen=True)
class Read:
    """One file that was read; without pixels where it is unusable, for a reason."""

    file: File
    digest: str
    pixels: bytes | None
    reason: str = ""


def list_files(root: Path, folder: Path, labels: list[str]) -> list[File]:
    """Every file of the class folders in `folder`, by class and name."""
    return [
        File(path, path.relative_to(root).as_posix(), index)
        for index, label in enumerate(labels)
        if (folder / label).is_dir()
        for path in layout.walk_files(folder / label)
    ]


def read_all(
    files: list[File], image: ImageSpec, is_wanted: Callable[[File, str], bool], progress: Progress | None
) -> Iterator[Read]:
    """Read, hash and decode in a pool (Pillow releases the GIL), in the order of `files`."""

    def read(file: File) -> Read | None:
        try:
            content = file.path.read_bytes()
        except OSError as error:
            return Read(file, "", None, f"cannot be read: {error.strerror}")
        digest = layout.sha256_of(content)
        if not is_wanted(file, digest):
            return None
        try:
            return Read(file, digest, images.decode(content, image))
        except images.ImageError as error:
            return Read(file, digest, None, str(error))

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for start in range(0, len(files), _READ_AHEAD):
            yield from filter(None, pool.map(read, files[start : start + _READ_AHEAD]))
            if progress:
                progress(min(start + _READ_AHEAD, len(files)), len(files))


def deduplicated(reads: Iterable[Read], labels: list[str]) -> tuple[list[Read], list[SkippedFile]]:
    """Each picture once; one that lies under two labels is nobody's example."""
    first: dict[str, Read] = {}
    contradicted: set[str] = set()
    skipped: list[SkippedFile] = []

    def skip(read: Read, reason: str) -> None:
        skipped.append(SkippedFile(path=read.file.relative, reason=reason))

    for read in reads:
        if read.pixels is None:
            skip(read, read.reason)
        elif (known := first.setdefault(read.digest, read)) is not read:
            if known.file.label == read.file.label:
                skip(read, f"the same picture as {known.file.relative}")
            else:
                contradicted.add(read.digest)
                skip(read, f"the same picture as {known.file.relative}, under another label")
    for digest in contradicted:
        read = first.pop(digest)
        skip(read, f"the same picture lies under {labels[read.file.label]!r} and under another label")
    return list(first.values()), skipped


def to_examples(reads: Iterable[Read], image: ImageSpec) -> Examples:
    """The usable ones as arrays, in their order."""
    chosen = list(reads)
    pixels = np.frombuffer(b"".join(read.pixels or b"" for read in chosen), np.uint8)
    return Examples(
        images=pixels.reshape(len(chosen), image.height, image.width, 3),
        truth=np.array([read.file.label for read in chosen], np.int64),
        paths=[read.file.relative for read in chosen],
        digests=[read.digest for read in chosen],
    )
