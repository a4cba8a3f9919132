"""From a folder of class folders to arrays, with a report of what was left out.

Where they lie is trainer.dataset.folders' business. Training reads train and validation only; the test
pictures are opened by `load_test`, which the run calls once the candidate is frozen.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from contract import images, layout
from contract.card import DatasetProfile, SkippedFile
from contract.image_spec import ImageSpec
from trainer.dataset.folders import Folders
from trainer.dataset.reading import Examples as Examples
from trainer.dataset.reading import File, Progress, deduplicated, read_all, to_examples
from trainer.errors import DataError

MAX_NATIVE_SIDE = 96
"""Pictures that all have one size up to this are used at their size, others at DEFAULT_SIDE."""
DEFAULT_SIDE = 64
MIN_SIDE = 10
"""Below this the network's last stage has no pixel left."""
SKIPPED_IN_CARD = 100

Keep = Callable[[File], bool]
"""Which files count; the others are as if they were not there."""


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


def load_training(
    root: Path,
    image: ImageSpec | None = None,
    shares: layout.SplitShares | None = None,
    progress: Progress | None = None,
    keep: Keep = lambda file: True,
) -> TrainingData:
    """Read and decode the train and validation splits.

    Args:
        root: the data folder.
        image: the size and rule to decode to; by default taken from the pictures.
        shares: of the splits that are made by content hash.
        progress: called as files are read.
        keep: which files count.

    Raises:
        DataError: no folder, one class only, a class without a usable picture, nothing for validation.
    """
    folders = Folders(root, shares or layout.SplitShares())
    labels = folders.labels
    folders.check_test_labels(labels)
    files = [file for file in folders.training_files(labels) if keep(file)]
    image = image or image_spec([file.path for file in files])
    reads = read_all(files, image, lambda file, digest: folders.split(file, digest) != "test", progress)
    usable, skipped = deduplicated(reads, labels)
    train, validation = (
        to_examples((read for read in usable if folders.split(read.file, read.digest) == split), image)
        for split in ("train", "validation")
    )
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
    keep: Keep = lambda file: True,
) -> tuple[Examples, list[SkippedFile]]:
    """Read and decode the test split; pictures whose content the fit has seen are left out.

    Raises DataError where a class folder of the split is none of `labels`.
    """
    folders = Folders(root, shares or layout.SplitShares())
    folders.check_test_labels(labels)
    files = [file for file in folders.test_files(labels) if keep(file)]
    reads = read_all(files, image, lambda file, digest: folders.split(file, digest) == "test", progress)
    usable, skipped = deduplicated(reads, labels)
    fresh = [read for read in usable if read.digest not in seen]
    skipped += [
        SkippedFile(path=read.file.relative, reason="the same picture was trained on")
        for read in usable
        if read.digest in seen
    ]
    return to_examples(fresh, image), skipped


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


def image_spec(paths: list[Path], samples: int = 64) -> ImageSpec:
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


def _check_classes(labels: list[str], train: Examples, skipped: list[SkippedFile]) -> None:
    counts = _counts(train, labels)
    empty = [label for label, count in counts.items() if not count]
    if empty:
        why = f" ({skipped[0].path}: {skipped[0].reason})" if skipped else ""
        raise DataError(
            f"no usable training picture in class {', '.join(map(repr, empty))}{why}; "
            "add pictures or remove the folder"
        )
