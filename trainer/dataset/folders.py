"""Where the pictures of a dataset lie, and which split each belongs to.

Two layouts: `DIR/<class>/…`, or `DIR/train/<class>/…` with or without `DIR/validation` and `DIR/test` beside
it. Uploads come in the second, their split is their folder. Base pictures, which were not uploaded, are
divided by their content's hash; only where they bring test pictures of their own are those the test split.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from contract import layout
from contract.layout import Split
from trainer.dataset.reading import File, list_files
from trainer.errors import DataError


@dataclass(frozen=True)
class Folders:
    """A data folder. Raises DataError when it cannot be one."""

    root: Path
    shares: layout.SplitShares = field(default_factory=layout.SplitShares)

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise DataError(
                f"{self.root} is not a folder; give --data a folder of class folders, "
                "or run `python -m trainer fetch cifar10` for the reference data"
            )

    @property
    def training(self) -> Path:
        """The folder whose class folders are the classes."""
        return self.root / "train" if (self.root / "train").is_dir() else self.root

    @cached_property
    def labels(self) -> list[str]:
        """The classes, sorted. Raises DataError for fewer than two."""
        labels = _class_folders(self.training)
        if len(labels) < 2:
            found = f"only {labels[0]!r}" if labels else "none"
            raise DataError(f"{self.training}: a classifier needs at least two class folders, found {found}")
        return labels

    @cached_property
    def has_own_test(self) -> bool:
        """True where base pictures bring a test split; uploads below test/ make none."""
        return self._is_divided("test") and any(map(_has_base, self._class_paths("test")))

    def training_files(self, labels: list[str]) -> list[File]:
        """What is not below test/, by folder, class and name."""
        files = list_files(self.root, self.training, labels)
        if self._is_divided("validation"):
            files += list_files(self.root, self.root / "validation", labels)
        return files

    def test_files(self, labels: list[str]) -> list[File]:
        """What may belong to the test split: all below test/, and what the hash may choose."""
        files = list_files(self.root, self.root / "test", labels) if self._is_divided("test") else []
        return files if self.has_own_test else files + list_files(self.root, self.training, labels)

    def split(self, file: File, digest: str) -> Split:
        """The split of one picture."""
        top = file.relative.partition("/")[0]
        if top == "test" and self._is_divided("test"):
            return "test"
        if file.is_upload and self.training != self.root:
            return "validation" if top == "validation" else "train"
        shares = layout.SplitShares(self.shares.validation, 0.0) if self.has_own_test else self.shares
        return layout.split_of(digest, shares)

    def check_test_labels(self, labels: list[str]) -> None:
        """A test class without training pictures is a mistake, but for uploads. Raises DataError."""
        if self._is_divided("test"):
            paths = [path for path in self._class_paths("test") if path.name not in labels]
            if strange := [path.name for path in paths if not _has_only_uploads(path)]:
                raise DataError(
                    f"{self.root / 'test'}: class folders {strange} are not among the training classes "
                    f"{labels}; rename or remove them"
                )

    def _is_divided(self, split: Split) -> bool:
        """Whether this is a split's folder, and no class that is called so: that one holds pictures alone."""
        folder = self.root / split
        return folder.is_dir() and (self.training != self.root or bool(_class_folders(folder)))

    def _class_paths(self, split: Split) -> list[Path]:
        return [self.root / split / name for name in _class_folders(self.root / split)]


def _class_folders(folder: Path) -> list[str]:
    names = (entry.name for entry in folder.iterdir() if entry.is_dir())
    return sorted(name for name in names if not name.startswith("."))


def _has_only_uploads(folder: Path) -> bool:
    return not _has_base(folder) and any(True for _ in layout.walk_files(folder))


def _has_base(folder: Path) -> bool:
    return any(not layout.is_upload(path.name) for path in layout.walk_files(folder))
