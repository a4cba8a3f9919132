"""What a fine-tune sees: every new example, and a sample of the old ones so that they are not forgotten.

Only the sample is read, so the cost grows with the news and not with what was there before. The sample is a
function of the seed and the files' names; uploads that the parent has seen fill up to half of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.card import SkippedFile
from contract.image_spec import ImageSpec
from contract.training import ReplayRule
from trainer.dataset import loading, uploads
from trainer.dataset.folders import Folders
from trainer.dataset.reading import Examples, File, Progress, Read, deduplicated, read_all, to_examples
from trainer.errors import DataError
from trainer.planning import Plan

VALIDATION = 2500
"""Old validation pictures that are enough to calibrate on, and to see a point lost."""
LOOK_FACTOR = 10
"""So many times the wanted pictures are read at most in search of validation pictures."""
PER_CLASS = 10
"""Old pictures of each class that the sample begins with."""
CHUNK = 1024


@dataclass(frozen=True)
class Mixture:
    """The data of a fine-tune."""

    data: loading.TrainingData
    """New and old together, each once, as the card describes it."""
    is_new: Sequence[bool]
    """Of its training examples."""
    is_new_validation: Sequence[bool]

    @property
    def new(self) -> int:
        """How many training examples are new."""
        return sum(self.is_new)

    @property
    def old_validation(self) -> Examples:
        """What the parent was not trained on, and is like what it was."""
        return self.data.validation.at([i for i, new in enumerate(self.is_new_validation) if not new])


def load_mixture(
    root: Path, plan: Plan, image: ImageSpec, rule: ReplayRule, seed: int, progress: Progress | None = None
) -> Mixture:
    """Read and decode. Raises DataError."""
    folders, labels = Folders(root), plan.labels
    files = [file for file in folders.training_files(labels) if plan.keeps(file)]
    new = frozenset(plan.new)
    fresh = [file for file in files if file.is_upload and uploads.name_of(file) in new]
    old = _in_order([file for file in files if not (file.is_upload and uploads.name_of(file) in new)], seed)
    wanted = _wanted(rule, len(fresh))
    reads = list(read_all(fresh, image, lambda file, digest: True, progress))
    reads += _sample(old, folders, image, wanted, progress)
    usable, skipped = deduplicated(reads, labels)
    train = [read for read in usable if folders.split(read.file, read.digest) == "train"]
    validation = [read for read in usable if folders.split(read.file, read.digest) == "validation"]
    is_new, is_new_validation = (
        [uploads.name_of(read.file) in new for read in reads] for reads in (train, validation)
    )
    loaded = loading.TrainingData(
        root, labels, image, to_examples(train, image), to_examples(validation, image), skipped
    )
    _check(loaded, is_new, skipped)
    return Mixture(loaded, is_new, is_new_validation)


def _wanted(rule: ReplayRule, new: int) -> int:
    return int(min(rule.maximum, max(rule.minimum, rule.per_new * new)))


def _in_order(files: Iterable[File], seed: int) -> list[File]:
    """A shuffle in which a file's place depends on nothing but the seed and its name.

    First some of each class, then seen uploads and base pictures by turns, until one kind ends.
    """
    by_hash = sorted(files, key=lambda file: hashlib.sha256(f"{seed}/{file.relative}".encode()).digest())
    count: dict[int, int] = {}
    heads: list[File] = []
    kinds: tuple[list[File], list[File]] = ([], [])
    for file in by_hash:
        count[file.label] = count.get(file.label, 0) + 1
        (heads if count[file.label] <= PER_CLASS else kinds[file.is_upload]).append(file)
    shared = min(map(len, kinds))
    by_turns = [file for pair in zip(*kinds, strict=False) for file in pair]
    return [*heads, *by_turns, *kinds[0][shared:], *kinds[1][shared:]]


def _sample(
    old: Sequence[File], folders: Folders, image: ImageSpec, wanted: int, progress: Progress | None
) -> list[Read]:
    """The first `wanted` training and VALIDATION validation pictures, with what was unusable on the way."""
    room = {"train": wanted, "validation": min(VALIDATION, wanted)}
    looked_at = old[: LOOK_FACTOR * (wanted + VALIDATION)]
    chosen: list[Read] = []
    for start in range(0, len(looked_at), CHUNK):
        if not any(room.values()):
            break
        chunk = list(looked_at[start : start + CHUNK])
        for read in read_all(chunk, image, _is_wanted(folders, room), None):
            split = folders.split(read.file, read.digest)
            if room.get(split, 0):
                room[split] -= read.pixels is not None
                chosen.append(read)
        if progress:
            progress(len(chosen), wanted + VALIDATION)
    return chosen


def _is_wanted(folders: Folders, room: dict[str, int]) -> Callable[[File, str], bool]:
    return lambda file, digest: room.get(folders.split(file, digest), 0) > 0


def _check(loaded: loading.TrainingData, is_new: Sequence[bool], skipped: Sequence[SkippedFile]) -> None:
    why = f" ({skipped[0].path}: {skipped[0].reason})" if skipped else ""
    if not any(is_new):
        raise DataError(f"none of the new examples can be used{why}; correct them, and run again")
    if len(set(loaded.train.truth.tolist())) < 2:
        raise DataError(f"{loaded.root}: all usable pictures are of one class{why}; add another class")
    if not len(loaded.validation):
        raise DataError(f"{loaded.root}: no picture is left for validation{why}; add more")
