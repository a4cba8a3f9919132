"""The runs' folders on the shared volume, and whether the data that a run builds on is there.

The trainer writes these folders and the gateway reads them, so whatever it finds may be half written,
missing or strange, and must not end a request.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from contract.gate import GateRule
from contract.layout import SAVED_MODEL, RunPaths, is_upload, write_atomically
from contract.training import TrainingResult, TrainingSpec
from gateway.errors import StoreError
from gateway.ports.training import ProgressPart, RunRequest

FETCHED = frozenset({"cifar10"})
"""Datasets that `python -m trainer fetch` brings."""


class FileRunFolders:
    """A gateway.ports.training.RunFolders."""

    def __init__(
        self,
        runs: Path,
        data: Path,
        data_at_trainer: str,
        models_at_trainer: str,
        gate: GateRule = GateRule(),  # noqa: B008 (is frozen)
    ) -> None:
        self._gate = gate
        self._runs = runs
        self._data = data
        self._data_at_trainer = data_at_trainer
        self._models_at_trainer = models_at_trainer

    def paths(self, run_id: str) -> RunPaths:
        """Where the run's files are."""
        return RunPaths(self._runs, run_id)

    def base_fault(self, request: RunRequest) -> str | None:
        """Why the data cannot be trained on, with the way out; None when it can."""
        root = self._data / request.data
        folder = root / "train" if (root / "train").is_dir() else root
        is_fetched = request.data in FETCHED and request.base == "dataset"
        usable = sum(1 for label in _labels(folder) if _has_picture(folder / label, is_fetched))
        if usable >= 2:
            return None
        found = "does not exist" if not root.is_dir() else f"has training pictures in {usable} class(es)"
        wanted = "a run needs two classes at least" + (", beside uploaded examples" if is_fetched else "")
        return f"the dataset {request.data!r} {found}; {wanted}: {self._way_out(request, root)}"

    def _way_out(self, request: RunRequest, root: Path) -> str:
        upload = f"upload labelled pictures to POST /v1/datasets/{request.data}/examples"
        if request.data not in FETCHED:
            return upload
        command = f"python -m trainer fetch {request.data}"
        if root.is_dir() and any(_labels(root)):  # the command leaves a folder with pictures alone
            command = f"move {request.data} out of the dataset store and {command}"
        return f"{command}, or {upload} and train with base none"

    def spec_for(self, run_id: str, request: RunRequest) -> TrainingSpec:
        """The spec of a request, with the paths as the trainer sees them."""
        return TrainingSpec(
            run_id=run_id,
            model=request.model,
            data=f"{self._data_at_trainer}/{request.data}",
            models=self._models_at_trainer,
            preset=request.preset,
            epochs=request.epochs,
            seed=request.seed,
            base=request.base,
            start=request.start,
            gate=self._gate,
        )

    def write_spec(self, spec: TrainingSpec) -> None:
        """Make the run's folder with its spec. Raises StoreError."""
        try:
            write_atomically(self.paths(spec.run_id).spec, spec.to_json())
        except OSError as error:
            raise StoreError(f"the run's folder cannot be written: {error}") from error

    def result(self, run_id: str) -> TrainingResult | None:
        """How the run ended, or None while it has not. Raises StoreError for an unreadable file."""
        path = self.paths(run_id).result
        try:
            return TrainingResult.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(f"{path.name} of the run {run_id} cannot be read: {error}") from error

    def progress(self, run_id: str, start: int, limit: int) -> ProgressPart:
        """Up to `limit` bytes of whole lines; a file shorter than `start` is read anew from 0."""
        try:
            with self.paths(run_id).progress.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                start = start if start <= size else 0
                file.seek(start)
                content = file.read(limit)
        except OSError:
            return ProgressPart(b"", 0)
        whole = content.rfind(b"\n") + 1
        if not whole and len(content) == limit:  # one line of `limit` bytes is nobody's event
            whole = limit
        return ProgressPart(content[:whole], start + whole)

    def candidate(self, run_id: str) -> Path | None:
        """The folder of the candidate that the run made; None when there is none, or no longer."""
        folder = self.paths(run_id).candidate
        return folder if (folder / SAVED_MODEL).is_file() else None

    def has_progress(self, run_id: str) -> bool:
        """True once the trainer has told anything."""
        try:
            return self.paths(run_id).progress.stat().st_size > 0
        except OSError:
            return False

    def ask_to_stop(self, run_id: str) -> bool:
        """Leave the file `cancel`; False when it lay there already. Raises StoreError."""
        path = self.paths(run_id).cancel
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb"):
                return True
        except FileExistsError:
            return False
        except OSError as error:
            raise StoreError(f"the run {run_id} cannot be asked to stop: {error}") from error

    def is_asked_to_stop(self, run_id: str) -> bool:
        """Whether the file `cancel` lies there."""
        return self.paths(run_id).cancel.exists()

    def log(self, run_id: str, start: int, limit: int) -> bytes | None:
        """Up to `limit` bytes of log.txt; None when there is no such file."""
        try:
            with self.paths(run_id).log.open("rb") as file:
                file.seek(start)
                return file.read(limit)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"the log of the run {run_id} cannot be read: {error}") from error

    def keep_log(self, run_id: str, content: bytes) -> None:
        """Write log.txt, for a launcher whose logs go with its Job."""
        try:
            write_atomically(self.paths(run_id).log, content)
        except OSError as error:
            raise StoreError(f"the log of the run {run_id} cannot be kept: {error}") from error


def _labels(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if entry.is_dir() and entry.name[0] != ".")
    except OSError:
        return


def _has_picture(folder: Path, is_fetched: bool) -> bool:
    """Whether a class has a picture, or one that was not uploaded: stops at the first."""
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        visible = (name for name in files if not name.startswith("."))
        if any(not is_fetched or not is_upload(name) for name in visible):
            return True
    return False
