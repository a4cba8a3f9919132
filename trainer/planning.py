"""What a run does: fine-tune the stable version or train in full, by a stated rule; decided once.

The decision lies in plan.json in the run's folder, with the list of the uploads that count, so that a run
that was killed goes on with the same examples and the same parent, whatever has happened meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from contract import layout
from contract.training import Method, TrainingSpec
from contract.values import Record, VersionNumber
from trainer.config import PRESETS
from trainer.dataset import uploads
from trainer.dataset.folders import Folders
from trainer.dataset.reading import File
from trainer.errors import DataError, ParentError
from trainer.version import stable

MINIMUM_NEW = 10
"""New training examples below which a fine-tune has nothing to learn from, and so has a new class."""


class Plan(Record):
    """plan.json."""

    method: Method
    reason: str
    """Why, in a sentence; the card repeats it."""
    parent: VersionNumber | None
    """Compared with, and started from where the method is `fine-tune`."""
    fingerprint: str | None
    labels: list[str]
    """Of a fine-tune's candidate: the parent's in their order, then new ones. Else empty: the data says."""
    new_labels: list[str]
    """Those that the parent does not know."""
    uploads: list[str]
    """What lay there, as `<label>/<sha256>`."""
    new: list[str]
    """Those of them that the parent has not seen."""
    base_examples: int

    def keeps(self, file: File) -> bool:
        """Whether a file counts in this run."""
        return uploads.keep_only(self._uploads, file)

    @cached_property
    def _uploads(self) -> frozenset[str]:
        return frozenset(self.uploads)


@dataclass(frozen=True)
class _Situation:
    """What the decision is made from."""

    spec: TrainingSpec
    parent: stable.Parent | None
    uploads: frozenset[str]
    seen: frozenset[str]
    """By the parent."""
    fresh: Sequence[File]
    """Uploads to train on that the parent has not seen."""
    old: int
    """Other training pictures: base, and uploads that it has seen."""
    present: frozenset[str]
    """The classes that have training pictures."""
    base: int

    def plan(
        self, method: Method, reason: str, labels: Sequence[str] = (), new_labels: Sequence[str] = ()
    ) -> Plan:
        """The decision with its circumstances."""
        return Plan(
            method=method,
            reason=reason,
            parent=self.parent.version if self.parent else None,
            fingerprint=self.parent.fingerprint() if self.parent else None,
            labels=list(labels),
            new_labels=list(new_labels),
            uploads=sorted(self.uploads),
            new=sorted(self.uploads - self.seen),
            base_examples=self.base,
        )


def plan_of(paths: layout.RunPaths, spec: TrainingSpec) -> Plan:
    """The run's plan: the one that was made, or a new one. Raises DataError, ParentError, OSError."""
    try:
        return Plan.model_validate_json(paths.plan.read_bytes())
    except (FileNotFoundError, ValueError):
        plan = make_plan(spec)
        layout.write_atomically(paths.plan, plan.to_json())
        return plan


def make_plan(spec: TrainingSpec) -> Plan:
    """Decide. Raises DataError, ParentError."""
    situation = _look(spec)
    _check_base(situation)
    _check_classes(situation)
    if against := _against_fine_tuning(situation):
        if spec.start == "stable":
            raise ParentError(f"the run cannot start from the stable version: {against}")
        return situation.plan("full", f"full training: {against}")
    return _fine_tune(situation)


def _look(spec: TrainingSpec) -> _Situation:
    folders = Folders(Path(spec.data))
    files = folders.training_files(folders.labels)
    parent = stable.find_parent(spec)
    seen = uploads.seen_by(parent.folder) if parent else frozenset()
    fresh = [file for file in files if file.is_upload and uploads.name_of(file) not in seen]
    return _Situation(
        spec=spec,
        parent=parent,
        uploads=uploads.listed([*files, *folders.test_files(folders.labels)]),
        seen=seen,
        fresh=fresh,
        old=len(files) - len(fresh),
        present=frozenset(file.path.parent.name for file in files),
        base=sum(not file.is_upload for file in files),
    )


def _check_base(situation: _Situation) -> None:
    """A parent that was made with base pictures would be forgotten, and judged on strangers' pictures."""
    parent = situation.parent
    if situation.base or parent is None or situation.spec.base == "none":
        return
    if parent.card.lineage is None or parent.card.lineage.base_examples:
        raise DataError(
            f"{situation.spec.data} holds uploads only, but version {parent.version} was trained on base "
            "pictures too; bring them back (python -m trainer fetch, say), or train with base none"
        )


def _check_classes(situation: _Situation) -> None:
    """What has no pictures any more would be unlearned, with nobody saying so."""
    parent, rule = situation.parent, situation.spec.gate
    gone = sorted(set(parent.card.labels) - situation.present) if parent else []
    if parent and gone and rule.enabled:
        raise DataError(
            f"version {parent.version} knows {', '.join(map(repr, gone))}, of which {situation.spec.data} "
            "has no training picture any more; bring them back, or train without the gate (--no-gate)"
        )


def _against_fine_tuning(situation: _Situation) -> str:
    """The first reason why the run is a full training; empty when it is a fine-tune."""
    spec, parent = situation.spec, situation.parent
    new, limit = len(situation.fresh), spec.replay.full_above
    if spec.start == "none":
        return "the spec says so"
    if spec.backbone:
        return "the spec names a backbone"
    if parent is None:
        return "no version is stable yet"
    if unusable := _against_parent(spec, parent):
        return unusable
    if not new:
        return f"version {parent.version} has seen every upload"
    if new > limit * situation.old:
        return f"{new} new examples are more than {limit:.0%} of the {situation.old} old ones"
    return ""


def _against_parent(spec: TrainingSpec, parent: stable.Parent) -> str:
    name, card = f"version {parent.version}", parent.card
    widths = PRESETS[spec.preset].as_card_entries()["widths"]
    if not parent.weights.is_file():
        return f"{name} has no {stable.WEIGHTS} to start from"
    if backbone := card.hyper_parameters.get("backbone"):
        return f"{name} is a head on {backbone}"
    if card.hyper_parameters.get("widths") != widths:
        made = card.hyper_parameters.get("widths", "another network")
        return f"the preset {spec.preset!r} has the widths {widths}, {name} {made}"
    if spec.image not in (None, card.image):
        return f"the spec asks for other pictures than the {card.image.width}×{card.image.height} of {name}"
    return ""


def _fine_tune(situation: _Situation) -> Plan:
    """Raises DataError when there is too little to learn from."""
    parent, fresh = situation.parent, situation.fresh
    assert parent is not None  # noqa: S101  (_against_fine_tuning)
    counts = Counter(file.path.parent.name for file in fresh)
    known = set(parent.card.labels)
    grown = sorted(label for label, count in counts.items() if label not in known and count >= MINIMUM_NEW)
    labels = [*parent.card.labels, *grown]
    usable = sum(count for label, count in counts.items() if label in labels)
    if usable < MINIMUM_NEW:
        raise DataError(
            f"{usable} new training examples since version {parent.version} are too few to learn from, "
            f"{MINIMUM_NEW} are needed (of a new class, too); add more, or train in full (start none)"
        )
    reason = f"fine-tuning version {parent.version} on {usable} new examples beside {situation.old} old ones"
    if grown:
        reason += f"; new classes: {', '.join(grown)}"
    return situation.plan("fine-tune", reason, labels, grown)
