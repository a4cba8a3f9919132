"""From a folder of class folders to arrays, with a report of what was left out.

Two layouts: `DIR/<class>/…`, divided by each picture's content hash, or `DIR/train/<class>/…` beside
`DIR/test/<class>/…`. Training reads train and validation only; the test pictures are opened by
`load_test`, which the run calls once the candidate is frozen.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from contract import images, layout
from contract.records import DatasetProfile, ImageSpec, SkippedFile
from trainer.errors import DataError

MAX_NATIVE_SIDE = 96
"""Pictures that all have one size up to this are used at their size, others at DEFAULT_SIDE."""
DEFAULT_SIDE = 64
MIN_SIDE = 10
"""Below this the network's last stage has no pixel left."""
SKIPPED_IN_CARD = 100
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


@dataclass(frozen=True)
class TrainingData:
    """What a fit may see."""

    root: Path
    labels: list[str]
    image: ImageSpec
    train: Examples
    validation: Examples
    skipped: list[SkippedFile] = field(default_factory=list)

    @property
    def digests(self) -> frozenset[str]:
        """Content hashes of everything that the fit saw."""
        return frozenset(self.train.digests) | frozenset(self.validation.digests)


@dataclass(frozen=True)
class _File:
    path: Path
    relative: str
    label: int


@dataclass(frozen=True)
class _Read:
    file: _File
    digest: str
    pixels: bytes | None
    reason: str = ""


def load_training(
    root: Path,
    image: ImageSpec | None = None,
    shares: layout.SplitShares | None = None,
    progress: Progress | None = None,
) -> TrainingData:
    """Read and decode the train and validation splits.

    Args:
        root: the data folder.
        image: the size and rule to decode to; by default taken from the pictures.
        shares: of the splits that are made by content hash.
        progress: called as files are read.

    Raises:
        DataError: no folder, one class only, a class without a usable picture, nothing for validation.
    """
    folder = _training_folder(root)
    labels = _labels(folder)
    _check_test_labels(root, labels)
    files = _list(root, folder, labels)
    image = image or _image_spec([file.path for file in files])
    shares = shares or layout.SplitShares()
    if has_test_folder(root):
        shares = layout.SplitShares(validation=shares.validation, test=0.0)
    wanted = {"train", "validation"}
    reads = _read_all(files, image, lambda digest: layout.split_of(digest, shares) in wanted, progress)
    usable, skipped = _deduplicated(reads, labels)
    train = _examples((r for r in usable if layout.split_of(r.digest, shares) == "train"), image)
    validation = _examples((r for r in usable if layout.split_of(r.digest, shares) == "validation"), image)
    _check_classes(labels, train, skipped)
    if not len(validation):
        raise DataError(
            f"{root}: {len(train)} pictures are too few to set any aside for validation; add more"
        )
    return TrainingData(root, labels, image, train, validation, skipped)


def load_test(
    root: Path,
    labels: list[str],
    image: ImageSpec,
    seen: frozenset[str] = frozenset(),
    shares: layout.SplitShares | None = None,
    progress: Progress | None = None,
) -> tuple[Examples, list[SkippedFile]]:
    """Read and decode the test split; pictures whose content the fit has seen are left out.

    Raises DataError where a class folder of the split is none of `labels`.
    """
    if (root / "test").is_dir() and "test" not in labels:
        folder, shares = root / "test", layout.SplitShares(validation=0.0, test=1.0)
        _check_test_labels(root, labels)
    else:
        folder, shares = _training_folder(root), shares or layout.SplitShares()
    files = _list(root, folder, labels)
    reads = _read_all(files, image, lambda digest: layout.split_of(digest, shares) == "test", progress)
    usable, skipped = _deduplicated(reads, labels)
    fresh = [read for read in usable if read.digest not in seen]
    skipped += [
        SkippedFile(path=read.file.relative, reason="the same picture was trained on")
        for read in usable
        if read.digest in seen
    ]
    return _examples(fresh, image), skipped


def has_test_folder(root: Path) -> bool:
    """True where the data brings its own test split."""
    return (root / "train").is_dir() and (root / "test").is_dir()


def profile(data: TrainingData, test: Examples | None, skipped: list[SkippedFile]) -> DatasetProfile:
    """The dataset as the model card records it."""
    splits = {"train": data.train, "validation": data.validation}
    if test is not None:
        splits["test"] = test
    digest = hashlib.sha256()
    rows = sorted(
        f"{split}/{data.labels[label]}/{content}\n"
        for split, examples in splits.items()
        for label, content in zip(examples.truth, examples.digests, strict=True)
    )
    digest.update("".join(rows).encode())
    return DatasetProfile(
        name=data.root.absolute().name,
        digest=digest.hexdigest(),
        examples={split: len(examples) for split, examples in splits.items()},
        class_counts={split: _counts(examples, data.labels) for split, examples in splits.items()},
        skipped=skipped[:SKIPPED_IN_CARD],
        skipped_count=len(skipped),
    )


def _counts(examples: Examples, labels: list[str]) -> dict[str, int]:
    counts = Counter(examples.truth.tolist())
    return {label: counts[index] for index, label in enumerate(labels)}


# --- folders ------------------------------------------------------------------------------------


def _training_folder(root: Path) -> Path:
    if not root.is_dir():
        raise DataError(
            f"{root} is not a folder; give --data a folder of class folders, "
            "or run `python -m trainer fetch cifar10` for the reference data"
        )
    return root / "train" if (root / "train").is_dir() else root


def _labels(folder: Path) -> list[str]:
    names = [entry.name for entry in folder.iterdir() if entry.is_dir()]
    labels = sorted(name for name in names if not name.startswith("."))
    if len(labels) < 2:
        found = f"only {labels[0]!r}" if labels else "none"
        raise DataError(f"{folder}: a classifier needs at least two class folders, found {found}")
    return labels


def _check_test_labels(root: Path, labels: list[str]) -> None:
    if (root / "test").is_dir() and "test" not in labels:
        strange = sorted(set(_labels(root / "test")) - set(labels))
        if strange:
            raise DataError(
                f"{root / 'test'}: class folders {strange} are not among the training classes {labels}; "
                "rename or remove them"
            )


def _list(root: Path, folder: Path, labels: list[str]) -> list[_File]:
    return [
        _File(path, path.relative_to(root).as_posix(), index)
        for index, label in enumerate(labels)
        if (folder / label).is_dir()
        for path in layout.walk_files(folder / label)
    ]


def _image_spec(paths: list[Path], samples: int = 64) -> ImageSpec:
    """The pictures' own size where a sample agrees on a small one, else DEFAULT_SIDE squared."""
    sizes: set[tuple[int, int]] = set()
    for path in paths[:: max(1, len(paths) // samples)]:
        try:
            sizes.add(images.size_of(path.read_bytes()))
        except (images.ImageError, OSError):
            continue
    if len(sizes) == 1:
        width, height = sizes.pop()
        if min(width, height) >= MIN_SIDE and max(width, height) <= MAX_NATIVE_SIDE:
            return ImageSpec(height=height, width=width)
    return ImageSpec(height=DEFAULT_SIDE, width=DEFAULT_SIDE)


# --- files --------------------------------------------------------------------------------------


def _read_all(
    files: list[_File], image: ImageSpec, is_wanted: Callable[[str], bool], progress: Progress | None
) -> Iterator[_Read]:
    """Read, hash and decode in a pool (Pillow releases the GIL), in the order of `files`."""

    def read(file: _File) -> _Read | None:
        try:
            content = file.path.read_bytes()
        except OSError as error:
            return _Read(file, "", None, f"cannot be read: {error.strerror}")
        digest = layout.sha256_of(content)
        if not is_wanted(digest):
            return None
        try:
            return _Read(file, digest, images.decode(content, image))
        except images.ImageError as error:
            return _Read(file, digest, None, str(error))

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for start in range(0, len(files), _READ_AHEAD):
            yield from filter(None, pool.map(read, files[start : start + _READ_AHEAD]))
            if progress:
                progress(min(start + _READ_AHEAD, len(files)), len(files))


def _deduplicated(reads: Iterable[_Read], labels: list[str]) -> tuple[list[_Read], list[SkippedFile]]:
    """Each picture once; one that lies under two labels is nobody's example."""
    first: dict[str, _Read] = {}
    contradicted: set[str] = set()
    skipped: list[SkippedFile] = []

    def skip(read: _Read, reason: str) -> None:
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


def _examples(reads: Iterable[_Read], image: ImageSpec) -> Examples:
    chosen = list(reads)
    pixels = np.frombuffer(b"".join(read.pixels or b"" for read in chosen), np.uint8)
    return Examples(
        images=pixels.reshape(len(chosen), image.height, image.width, 3),
        truth=np.array([read.file.label for read in chosen], np.int64),
        paths=[read.file.relative for read in chosen],
        digests=[read.digest for read in chosen],
    )


def _check_classes(labels: list[str], train: Examples, skipped: list[SkippedFile]) -> None:
    counts = _counts(train, labels)
    empty = [label for label, count in counts.items() if not count]
    if empty:
        why = f" ({skipped[0].path}: {skipped[0].reason})" if skipped else ""
        raise DataError(
            f"no usable training picture in class {', '.join(map(repr, empty))}{why}; "
            "add pictures or remove the folder"
        )
