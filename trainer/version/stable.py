"""The version that a candidate starts from and is compared with: the stable one of the rollout.

Only read here: who writes the rollout is the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contract import layout
from contract.card import ModelCard
from contract.rollout import Rollout
from contract.training import TrainingSpec
from trainer.errors import ParentError

WEIGHTS = "model.keras"


@dataclass(frozen=True)
class Parent:
    """A published version."""

    version: int
    folder: Path
    card: ModelCard

    @property
    def weights(self) -> Path:
        """The unfolded network that a fine-tune starts from; versions made elsewhere may have none."""
        return self.folder / WEIGHTS

    def fingerprint(self) -> str | None:
        """SHA-256 of the weights file."""
        return layout.sha256_of(self.weights.read_bytes()) if self.weights.is_file() else None


def find_parent(spec: TrainingSpec) -> Parent | None:
    """The spec's parent, or the rollout's stable version; None where nothing is stable yet.

    Raises ParentError when there is one, but it cannot be read: a candidate that is compared with nothing
    could be worse than what answers now.
    """
    store = layout.ModelPaths(Path(spec.models), spec.model)
    version = spec.parent or _stable(store)
    return None if version is None else read_parent(store, version)


def read_parent(store: layout.ModelPaths, version: int) -> Parent:
    """A version with its card. Raises ParentError."""
    if version not in store.versions():
        raise ParentError(
            f"version {version} of {store.model!r} is to be compared with, but {store.version(version)} is "
            f"gone or incomplete; restore it, or make one of {store.versions()} stable"
        )
    try:
        card = ModelCard.model_validate_json(store.card(version).read_bytes())
    except (OSError, ValueError) as error:
        raise ParentError(f"{store.card(version)} cannot be read: {error}") from error
    return Parent(version, store.version(version), card)


def _stable(store: layout.ModelPaths) -> int | None:
    try:
        return Rollout.model_validate_json(store.rollout.read_bytes()).stable
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ParentError(
            f"{store.rollout} cannot be read, so nobody knows what is stable: {error}"
        ) from error
