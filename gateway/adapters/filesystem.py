"""The model store on a file system: which versions lie there, their cards, the rollouts.

Reads what it must once per tick and trusts names and contents alike to nobody: junk is skipped, a
corrupt file is an error of its own model. Paths and the atomic write are contract.layout's.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from contract import layout
from contract.card import ModelCard
from contract.rollout import Rollout
from gateway.errors import CardError, StoreError
from gateway.ports.store import StoredModel

_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")  # contract.values.Name


class FileModelStore:
    """A gateway.ports.store.ModelStore in a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def scan(self) -> Sequence[StoredModel]:
        """Every model that has a complete version, sorted by name; other names are skipped."""
        names = (name for name in layout.model_names(self._root) if _MODEL_NAME.fullmatch(name))
        return [stored for name in names if (stored := self._stored(name)) is not None]

    def _stored(self, name: str) -> StoredModel | None:
        paths = layout.ModelPaths(self._root, name)
        versions = paths.versions()
        if not versions:  # they went away between two looks
            return None
        try:
            return StoredModel(name, versions, self._rollout(paths))
        except (OSError, ValueError) as error:
            return StoredModel(name, versions, error=_sentence(paths.rollout, error))

    def _rollout(self, paths: layout.ModelPaths) -> Rollout | None:
        try:
            rollout = Rollout.model_validate_json(paths.rollout.read_bytes())
        except FileNotFoundError:
            return None
        if rollout.model != paths.model:
            raise ValueError(f"it speaks of the model {rollout.model!r}, not of {paths.model!r}")
        return rollout

    def card(self, model: str, version: int) -> ModelCard:
        """The card of a version. Raises CardError when it is missing, unreadable or another model's."""
        path = layout.ModelPaths(self._root, model).card(version)
        try:
            return ModelCard.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise CardError(
                f"version {version} of the model {model!r} has no {layout.CARD}, so its labels and picture "
                "size are unknown; publish it with a card, or ask the model server directly"
            ) from error
        except (OSError, ValueError) as error:
            raise CardError(_sentence(path, error)) from error

    def publish(self, candidate: Path, model: str, run_id: str) -> int:
        """Make a run's candidate visible by one rename; once, however often asked. Raises StoreError."""
        try:
            return layout.publish(candidate, layout.ModelPaths(self._root, model), run_id)
        except OSError as error:
            raise StoreError(f"the candidate of the run {run_id} cannot be published: {error}") from error

    def delete_version(self, model: str, version: int) -> None:
        """Rename it to a name that nobody reads, then remove it. Raises StoreError."""
        paths = layout.ModelPaths(self._root, model)
        trash = paths.root / f".trash-{version}.{uuid4().hex}"
        try:
            paths.version(version).rename(trash)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(
                f"{paths.version(version)} cannot be deleted: {error.strerror or error}"
            ) from error
        shutil.rmtree(trash, ignore_errors=True)

    def write_rollout(self, rollout: Rollout) -> None:
        """Replace the model's rollout.json. Raises StoreError."""
        self._write(layout.ModelPaths(self._root, rollout.model).rollout, rollout.to_json())

    def read_config(self, model: str | None = None) -> str:
        """The text of models.config, or of one model's own; empty when there is none or it is no text."""
        try:
            return layout.models_config(self._root, model).read_text()
        except (FileNotFoundError, UnicodeDecodeError):
            return ""

    def write_config(self, text: str, model: str | None = None) -> None:
        """Replace models.config, or one model's own. Raises StoreError."""
        self._write(layout.models_config(self._root, model), text.encode())

    def _write(self, path: Path, content: bytes) -> None:
        try:
            layout.write_atomically(path, content)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def _sentence(path: Path, error: Exception) -> str:
    """Name the file and its first fault; pydantic's own text would quote the whole content."""
    if isinstance(error, ValidationError):
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        return f"{path} is not valid: {where + ': ' if where else ''}{fault['msg']}"
    return f"{path} cannot be used: {error}"
