"""The stores of one measurement: base data, a stable version, uploads; and the trainer's command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.layout import ModelPaths, RunPaths, SplitShares, example_path, sha256_of, split_of
from contract.rollout import Rollout
from contract.training import TrainingResult, TrainingSpec


@dataclass(frozen=True)
class Stores:
    """Folders of one measurement."""

    root: Path
    model: str

    @property
    def data(self) -> Path:
        """The dataset of the model's name."""
        return self.root / "data" / self.model

    @property
    def versions(self) -> ModelPaths:
        """The model's versions."""
        return ModelPaths(self.root / "models", self.model)

    def run(self, run_id: str) -> RunPaths:
        """A run's folder."""
        return RunPaths(self.root / "runs", run_id)

    def begin(self, folder: Path, train: int, test: slice, version: Path | None, preset: str) -> None:
        """Base data and a stable version: a given one, or one that is trained now."""
        self.bring_base(folder, train, test)
        if version:
            self.bring_version(version)
            return
        first = self.train("first", preset)
        print(f"stable: accuracy {first.accuracy} on the protected pictures", flush=True)
        self.make_stable(1)

    def bring_base(self, folder: Path, train: int, test: slice) -> None:
        """Link up to `train` pictures of each class, and a slice of each test class, from a data folder."""
        for split, chosen in (("train", slice(0, train)), ("test", test)):
            for path in chosen_of(folder / split, chosen):
                target = self.data / split / path.parent.name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(path.absolute())

    def bring_version(self, version: Path) -> None:
        """Begin with somebody's version, as stable."""
        shutil.copytree(version, self.versions.version(1))
        self.make_stable(1)

    def make_stable(self, version: int) -> None:
        """As the gateway's rollout would; without a gateway only."""
        self.versions.rollout.write_bytes(Rollout(model=self.model, stable=version).to_json())

    def upload(self, label: str, content: bytes) -> None:
        """One example as the gateway would write it."""
        digest = sha256_of(content)
        split = split_of(digest, SplitShares())
        path = example_path(self.data.parent, self.model, split, label, digest, "png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def train(
        self, run_id: str, preset: str, command: Sequence[str] = (), **changes: object
    ) -> TrainingResult:
        """Carry a run out in a process of its own; `command` stands in for the trainer's."""
        folders = {"data": str(self.data), "models": str(self.versions.store)}
        values = {"run_id": run_id, "model": self.model, "preset": preset, **folders, **changes}
        paths = self.run(run_id)
        paths.root.mkdir(parents=True)
        paths.spec.write_bytes(TrainingSpec.model_validate(values).to_json())
        with paths.log.open("wb") as log:
            program = [*(command or trainer()), "run", "--spec", str(paths.spec)]
            subprocess.run(program, stdout=log, stderr=subprocess.STDOUT, check=False)
        return TrainingResult.model_validate_json(paths.result.read_bytes())


def trainer() -> list[str]:
    """The trainer's command."""
    return [sys.executable, "-m", "trainer"]


def chosen_of(folder: Path, chosen: slice) -> Iterator[Path]:
    """Some pictures of each class folder, by name."""
    for label in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield from sorted(label.iterdir())[chosen]


def accuracy(version: Path, folder: Path) -> float:
    """Of a version directory on a folder of class folders, by `trainer evaluate`."""
    command = [*trainer(), "evaluate", "--version", str(version), "--data", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, check=True)
    return float(json.loads(done.stdout)["accuracy"])
