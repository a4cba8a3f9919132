"""`trainer reproduce`: train a version again from what its card records, and compare.

The same spec, parent and list of uploads; nothing is published. What cannot be had any more (an upload that
was deleted, other base data) shows in the digest of the dataset, which the card has of the first time.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

from contract import layout
from contract.card import Lineage, ModelCard
from contract.evaluation import Evaluation
from contract.training import TrainingSpec
from trainer.candidate import make_candidate
from trainer.dataset import loading, uploads
from trainer.dataset.folders import Folders
from trainer.errors import DataError, ParentError, TrainerError
from trainer.planning import Plan
from trainer.progress import Reporter
from trainer.run import fitted_candidate
from trainer.spec import new_run_id
from trainer.version import stable
from trainer.version.served import SavedVersion, read_card

MINIMUM_AGREEMENT = 0.99
"""Of labels on the test pictures, where the weights are not the same bit by bit: other processors round
otherwise."""


@dataclass(frozen=True)
class Comparison:
    """The version and its repetition."""

    first: ModelCard
    again: ModelCard
    has_same_weights: bool
    label_agreement: float
    """On the pictures of the repetition's evaluation."""

    @property
    def has_same_data(self) -> bool:
        """Whether both saw the same examples under the same labels."""
        return self.first.dataset.digest == self.again.dataset.digest

    @property
    def is_reproduced(self) -> bool:
        """The verdict."""
        is_close = self.has_same_weights or self.label_agreement >= MINIMUM_AGREEMENT
        return self.has_same_data and is_close


def run(arguments: argparse.Namespace) -> int:
    """Train again and compare; the exit status."""
    try:
        card = read_card(arguments.version)
    except (OSError, ValueError) as error:
        raise TrainerError(f"{arguments.version} holds no model card: {error}") from error
    if card.lineage is None:
        raise TrainerError(f"the card of {arguments.version} is older than lineage; train a new version")
    models = arguments.models or str(arguments.version.absolute().parents[1])
    changes = {"models": models, "data": arguments.data or card.lineage.spec.data}
    comparison = reproduce(arguments.version, card, card.lineage, arguments.runs, changes)
    _print(comparison, Console())
    return 0 if comparison.is_reproduced else 1


def reproduce(
    version: Path, card: ModelCard, lineage: Lineage, runs: Path, changes: dict[str, str]
) -> Comparison:
    """Train again into a new run's folder, and compare. Raises TrainerError, OSError."""
    spec = lineage.spec.model_copy(update={**changes, "run_id": new_run_id(f"again-{card.model}")})
    paths = layout.RunPaths(runs, spec.run_id)
    layout.write_atomically(paths.spec, spec.to_json())
    layout.write_atomically(paths.plan, _plan(version, card, lineage, spec).to_json())
    reporter = Reporter(paths)
    with reporter.running():
        again = make_candidate(fitted_candidate(spec, paths, reporter), paths, reporter)
    return Comparison(
        first=card,
        again=again,
        has_same_weights=_have_same_weights(version, paths.candidate),
        label_agreement=_label_agreement(version, paths.candidate, again, Path(spec.data)),
    )


def _plan(version: Path, card: ModelCard, lineage: Lineage, spec: TrainingSpec) -> Plan:
    """The plan of the first time, from the card and the list of uploads."""
    known = uploads.seen_by(version)
    _check_uploads(version, known, Folders(Path(spec.data)))
    parent = None
    if card.parent_version is not None:
        parent = stable.read_parent(layout.ModelPaths(Path(spec.models), spec.model), card.parent_version)
    if parent and lineage.parent_fingerprint not in (None, parent.fingerprint()):
        raise ParentError(f"{parent.weights} is not what {version} was made from")
    is_tuned = lineage.method == "fine-tune"
    return Plan(
        method=lineage.method,
        reason=lineage.reason,
        parent=card.parent_version,
        fingerprint=parent.fingerprint() if parent else None,
        labels=card.labels if is_tuned else [],
        new_labels=lineage.new_labels,
        uploads=sorted(known),
        new=sorted(known - uploads.seen_by(parent.folder)) if parent else sorted(known),
        base_examples=lineage.base_examples,
    )


def _check_uploads(version: Path, known: frozenset[str], folders: Folders) -> None:
    """Before minutes are spent: what was deleted cannot be trained on again."""
    files = [*folders.training_files(folders.labels), *folders.test_files(folders.labels)]
    if gone := sorted(known - uploads.listed(files)):
        raise DataError(
            f"{len(gone)} of the {len(known)} uploads that {version} has seen are gone from {folders.root}, "
            f"the first is {gone[0]}; it cannot be made again"
        )


def _have_same_weights(first: Path, again: Path) -> bool:
    one, two = (keras.models.load_model(folder / stable.WEIGHTS, compile=False) for folder in (first, again))
    pairs = zip(one.get_weights(), two.get_weights(), strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def _label_agreement(first: Path, again: Path, card: ModelCard, root: Path) -> float:
    examples, _ = loading.load_test(root, card.labels, card.image)
    if not len(examples):
        raise DataError(f"{root} holds no test pictures to compare the versions on")
    answers = [SavedVersion(folder).probabilities(examples.images).argmax(1) for folder in (first, again)]
    return float(np.mean(answers[0] == answers[1]))


def _print(comparison: Comparison, console: Console) -> None:
    table = Table("", "recorded", "again")
    cards = comparison.first, comparison.again
    table.add_row("dataset digest", *(card.dataset.digest[:16] for card in cards))
    for split in ("validation", "test"):
        found: list[Evaluation | None] = [getattr(card, split) for card in cards]
        table.add_row(f"{split} accuracy", *("–" if one is None else f"{one.accuracy:.4f}" for one in found))
    table.add_row("temperature", *(f"{card.temperature:.6f}" for card in cards))
    console.print(table)
    console.print(
        f"weights equal bit by bit: {'yes' if comparison.has_same_weights else 'no'}   "
        f"label agreement on the test pictures {comparison.label_agreement:.2%}"
    )
    verdict = "reproduced" if comparison.is_reproduced else "NOT reproduced"
    if not comparison.has_same_data:
        verdict += ": the examples are not those of the first time"
    console.print(verdict)
