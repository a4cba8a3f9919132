"""The model store: which directory is a model's, which is a version, and what lies in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

CARD = "model_card.json"
SAVED_MODEL = "saved_model.pb"
UPLOADS = "uploads.json"
"""In a version: the uploaded examples that it has seen, by label. What is not in it is new."""
RESERVED_MODEL_NAMES = frozenset({"config"})
"""models/config/ holds the model servers' configuration, so no model can have that name."""


@dataclass(frozen=True)
class ModelPaths:
    """The directory of one model in a model store, and what lies in it."""

    store: Path
    model: str

    @property
    def root(self) -> Path:
        """`<store>/<model>`."""
        return self.store / self.model

    @property
    def rollout(self) -> Path:
        """`<store>/<model>/rollout.json`."""
        return self.root / "rollout.json"

    def version(self, version: int) -> Path:
        """`<store>/<model>/<version>`, whether it exists or not."""
        return self.root / str(version)

    def card(self, version: int) -> Path:
        """`<store>/<model>/<version>/model_card.json`, whether it exists or not."""
        return self.version(version) / CARD

    def plots(self, version: int) -> Path:
        """`<store>/<model>/<version>/plots`, whether it exists or not."""
        return self.version(version) / "plots"

    def versions(self) -> list[int]:
        """The complete versions, ascending. Directories with any other name are not versions."""
        try:
            names = os.listdir(self.root)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []  # PermissionError: `lost+found` of a fresh disk is none of ours
        numbers = (int(name) for name in names if is_version_name(name))
        return sorted(number for number in numbers if (self.version(number) / SAVED_MODEL).is_file())


def is_version_name(name: str) -> bool:
    """True for a positive integer in its shortest decimal form, small enough for int64."""
    return len(name) <= 19 and name.isascii() and name.isdigit() and name[0] != "0" and int(name) < 2**63


def models_config(store: Path, model: str | None = None) -> Path:
    """The model servers' configuration file, derived from the rollouts; with a model, that model's alone."""
    folder = store / "config"
    return folder / "models.config" if model is None else folder / "models" / f"{model}.config"


def model_names(store: Path) -> list[str]:
    """Names of the models that have a complete version, sorted."""
    try:
        folders = sorted(entry.name for entry in store.iterdir() if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [name for name in folders if is_model_name(name) and ModelPaths(store, name).versions()]


def is_model_name(name: str) -> bool:
    """Whether a folder of a model store may be a model's: not hidden, not above, and not ours."""
    return name != "" and not name.startswith(".") and name not in RESERVED_MODEL_NAMES
