"""Gathers what the gate decides on: stable and candidate, as exported, on the same pictures and machine.

Protected are the test pictures that were not uploaded: nobody who can only call the gateway can have
written them. Where there are no base pictures, or the spec says base none, it is all test pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contract import layout
from contract.gate import GateDecision
from contract.image_spec import ImageSpec
from contract.training import TrainingSpec
from trainer.arrays import FloatArray
from trainer.dataset.loading import TrainingData
from trainer.dataset.reading import Examples, File, joined, read_all, to_examples
from trainer.evaluation.evaluate import calibration_bins, expected_calibration_error
from trainer.gate import checks, latency
from trainer.gate.checks import Evidence, Measured
from trainer.gate.noninferiority import Booleans, Paired
from trainer.planning import Plan
from trainer.version import stable
from trainer.version.served import SavedVersion


@dataclass(frozen=True)
class Candidate:
    """A version that is written, and that nobody serves."""

    folder: Path
    served: SavedVersion
    data: TrainingData
    test: Examples
    """Empty where the data holds no test split."""


@dataclass(frozen=True)
class _Answers:
    """Of one version to some pictures."""

    is_right: Booleans
    confidence: FloatArray

    @property
    def calibration_error(self) -> float:
        return expected_calibration_error(calibration_bins(self.confidence, self.is_right))

    def where(self, chosen: Booleans) -> _Answers:
        return _Answers(self.is_right[chosen], self.confidence[chosen])


def judge(candidate: Candidate, plan: Plan, spec: TrainingSpec) -> GateDecision:
    """The gate's decision. Raises ParentError when the version to compare with has vanished."""
    if plan.parent is None:
        return checks.first_version(spec.gate)
    parent = stable.read_parent(layout.ModelPaths(Path(spec.models), spec.model), plan.parent)
    test = candidate.test
    is_open = spec.base == "none" or not plan.base_examples
    is_protected = np.array([is_open or not layout.is_upload(Path(path).name) for path in test.paths], bool)
    return checks.decide(_Bench(candidate, parent).evidence(plan, is_protected), spec.gate)


class _Bench:
    """Stable and candidate side by side."""

    def __init__(self, candidate: Candidate, parent: stable.Parent) -> None:
        self._candidate = candidate
        self._parent = parent
        self._stable = SavedVersion(parent.folder, parent.card.output_name)

    def evidence(self, plan: Plan, is_protected: Booleans) -> Evidence:
        test, data, known = self._candidate.test, self._candidate.data, self._parent.card
        theirs, ours = (answers.where(is_protected) for answers in self._both(test))
        truth = np.array(data.labels)[test.truth][is_protected]
        trained, held_out = self._news(plan)
        return Evidence(
            compared_with=self._parent.version,
            missing_labels=sorted(set(known.labels) - set(data.labels)),
            protected=Paired(theirs.is_right, ours.is_right),
            classes={label: truth == label for label in known.labels},
            corrections=self._paired([trained, held_out]),
            held_out=np.arange(len(trained) + len(held_out)) >= len(trained),
            calibration=Measured(theirs.calibration_error, ours.calibration_error),
            bytes=Measured(_size(self._parent.folder), _size(self._candidate.folder)),
            milliseconds=latency.compare(
                self._stable, known.image, self._candidate.served, self._candidate.data.image
            ),
        )

    def _news(self, plan: Plan) -> tuple[Examples, Examples]:
        """The new examples that were trained on, and the others."""
        data, new = self._candidate.data, frozenset(plan.new)
        others = [_chosen(examples, new) for examples in (data.validation, self._candidate.test)]
        return _chosen(data.train, new), joined(others)

    def _paired(self, groups: Sequence[Examples]) -> Paired:
        theirs, ours = zip(*(self._both(examples) for examples in groups), strict=True)
        return Paired(
            np.concatenate([answers.is_right for answers in theirs]),
            np.concatenate([answers.is_right for answers in ours]),
        )

    def _both(self, examples: Examples) -> tuple[_Answers, _Answers]:
        labels, image = self._candidate.data.labels, self._candidate.data.image
        known = self._parent.card
        truth = np.array(labels)[examples.truth]
        seen = examples.images if known.image == image else self._decoded(examples, known.image)
        return (
            _answers(self._stable, seen, known.labels, truth),
            _answers(self._candidate.served, examples.images, labels, truth),
        )

    def _decoded(self, examples: Examples, image: ImageSpec) -> np.ndarray:
        """The same files at stable's size."""
        root = self._candidate.data.root
        files = [File(root / path, path, 0) for path in examples.paths]
        return to_examples(read_all(files, image, lambda file, digest: True, None), image).images


def _answers(version: SavedVersion, images: np.ndarray, labels: Sequence[str], truth: np.ndarray) -> _Answers:
    if not len(images):
        return _Answers(np.zeros(0, bool), np.zeros(0, np.float32))
    probabilities = version.probabilities(images)
    named = np.array(labels)[probabilities.argmax(axis=1)]
    return _Answers(named == truth, probabilities.max(axis=1))


def _chosen(examples: Examples, names: frozenset[str]) -> Examples:
    """Those that are in a list of uploads."""
    indices = [index for index, path in enumerate(examples.paths) if _name(path) in names]
    return examples.at(indices)


def _name(path: str) -> str:
    return f"{Path(path).parent.name}/{Path(path).stem}"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
