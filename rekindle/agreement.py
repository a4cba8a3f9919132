"""Does the gateway name the same labels as the trainer's own evaluation?

Posts the pictures of a folder through the HTTP API and holds each top label against the table that
`python -m trainer evaluate … --predictions CSV` wrote. Decoding, batching, transport and the model server
all lie between the two, so agreement means that none of them changes what a model sees or says.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from contract.layout import walk_files
from rekindle.answers.predictions import Prediction, Predictions

TIE = 1e-4
"""Two best scores that differ by less are a tie: rounding may turn their order."""


class Classifier(Protocol):
    """What is asked for labels: rekindle.client.Client."""

    def predict(self, model: str, pictures: Sequence[Path], top_k: int | None = None) -> Predictions: ...


class AgreementError(Exception):
    """The comparison cannot begin; the message says why."""


@dataclass(frozen=True)
class Expected:
    """One row of the table."""

    true_label: str
    label: str
    score: float
    second_score: float

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> Self:
        """From a row of the CSV. Raises KeyError, ValueError."""
        return cls(row["true_label"], row["label"], float(row["score"]), float(row["second_score"]))

    @property
    def is_tie(self) -> bool:
        """True where the trainer itself could hardly choose."""
        return abs(self.score - self.second_score) < TIE


@dataclass(frozen=True)
class Agreement:
    """What the comparison found; paths are relative to the folder."""

    compared: int
    correct: int
    """Pictures whose label from the gateway is the true one."""
    disagreements: list[str]
    ties: list[str]
    """Disagreements where the two best scores are a tie."""
    failed: list[str]
    """Pictures for which the gateway answered with an error."""
    missing: list[str]
    """Rows of the table without a picture."""
    extra: list[str]
    """Pictures without a row."""
    versions: list[int] = field(default_factory=list)
    """The model versions that answered."""

    @property
    def accuracy(self) -> float:
        """Share of true labels among what the gateway answered."""
        return self.correct / self.compared if self.compared else 0.0

    @property
    def holds(self) -> bool:
        """True when every picture has its row and its answer, and only ties differ."""
        return not (self.disagreements or self.failed or self.missing or self.extra) and self.compared > 0


def read_expected(table: Path) -> dict[str, Expected]:
    """The rows by path. Raises AgreementError for a file of another kind, OSError."""
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = {row["path"]: Expected.from_row(row) for row in csv.DictReader(file)}
        if not rows:
            raise ValueError("no rows")
    except (KeyError, TypeError, ValueError) as error:
        raise AgreementError(
            f"{table} is not a table of `python -m trainer evaluate … --predictions`: {error!r}"
        ) from error
    return rows


def find_pictures(folder: Path) -> dict[str, Path]:
    """The files in the class folders of `folder`, or of test/ in it, by path relative to `folder`.

    Raises AgreementError where there are none.
    """
    root = folder / "test" if (folder / "test").is_dir() else folder
    files = (path for path in walk_files(root) if path.parent != root)
    if pictures := {path.relative_to(folder).as_posix(): path for path in files}:
        return pictures
    raise AgreementError(f"{root} holds no pictures: expected class folders with pictures in them")


@dataclass
class Comparison:
    """Goes through the pictures batch by batch, so that a caller can show how far it is."""

    expected: Mapping[str, Expected]
    pictures: Mapping[str, Path]
    correct: int = 0
    disagreements: list[str] = field(default_factory=list)
    ties: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    versions: set[int] = field(default_factory=set)

    @property
    def common(self) -> list[str]:
        """The paths that have both a row and a picture, sorted."""
        return sorted(self.expected.keys() & self.pictures.keys())

    def run(self, classifier: Classifier, model: str, batch: int) -> Iterator[int]:
        """Post the pictures; yields the size of each batch when it is compared. Raises RekindleError."""
        everything = self.common
        for start in range(0, len(everything), batch):
            paths = everything[start : start + batch]
            answer = classifier.predict(model, [self.pictures[path] for path in paths], top_k=1)
            self.versions.add(answer.version)
            for path, prediction in zip(paths, answer.predictions, strict=True):
                self._compare(path, prediction)
            yield len(paths)

    def _compare(self, path: str, prediction: Prediction) -> None:
        expected, best = self.expected[path], prediction.best
        if best is None:
            self.failed.append(path)
            return
        self.correct += best.label == expected.true_label
        if best.label != expected.label:
            (self.ties if expected.is_tie else self.disagreements).append(path)

    def result(self) -> Agreement:
        """What was found so far."""
        return Agreement(
            compared=len(self.common),
            correct=self.correct,
            disagreements=self.disagreements,
            ties=self.ties,
            failed=self.failed,
            missing=sorted(self.expected.keys() - self.pictures.keys()),
            extra=sorted(self.pictures.keys() - self.expected.keys()),
            versions=sorted(self.versions),
        )
