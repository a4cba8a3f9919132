"""The model store: versions with their cards, rollouts, and the model servers' configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from contract.card import ModelCard
from contract.rollout import Rollout


@dataclass(frozen=True, slots=True)
class StoredModel:
    """What lies in the directory of one model."""

    name: str
    versions: Sequence[int]
    """Complete versions, ascending; never empty."""
    rollout: Rollout | None = None
    """None when there is no rollout.json, or it cannot be read."""
    error: str = field(default="")
    """Why rollout.json cannot be read."""


class ModelStore(Protocol):
    """The model store. Every method blocks on the file system: call them in a thread."""

    def scan(self) -> Sequence[StoredModel]:
        """Every model that has a complete version, sorted by name. Junk is ignored."""

    def card(self, model: str, version: int) -> ModelCard:
        """The card of a version. Raises CardError."""

    def publish(self, candidate: Path, model: str, run_id: str) -> int:
        """Make a run's candidate visible by one rename; once, however often asked. Raises StoreError."""

    def delete_version(self, model: str, version: int) -> None:
        """Take a version away, at once for every reader. Raises StoreError."""

    def write_rollout(self, rollout: Rollout) -> None:
        """Replace the model's rollout.json. Raises StoreError."""

    def read_config(self, model: str | None = None) -> str:
        """The text of models.config, or of one model's own; empty when there is none."""

    def write_config(self, text: str, model: str | None = None) -> None:
        """Replace models.config, or one model's own. Raises StoreError."""
