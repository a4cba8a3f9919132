"""A model that is in service, and uploads to its dataset as the gateway would write them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drawing import COLOURS, draw_dataset, picture

from contract.card import ModelCard
from contract.layout import ModelPaths, RunPaths, SplitShares, example_path, sha256_of, split_of
from contract.rollout import Rollout
from contract.training import TrainingResult, TrainingSpec
from trainer.spec import write_spec

MODEL = "colours"
YELLOW = (200, 200, 40)


@dataclass(frozen=True)
class Service:
    """The stores of one test."""

    root: Path

    @property
    def data(self) -> Path:
        """The dataset of the model's name."""
        return self.root / "data" / MODEL

    @property
    def model(self) -> ModelPaths:
        """The model that the runs publish to."""
        return ModelPaths(self.root / "models", MODEL)

    def paths(self, run_id: str) -> RunPaths:
        """A run's directory."""
        return RunPaths(self.root / "runs", run_id)

    def spec(self, run_id: str, **changes: Any) -> TrainingSpec:
        """The spec of a tiny run."""
        values = {
            "run_id": run_id,
            "model": MODEL,
            "data": str(self.data),
            "models": str(self.model.store),
            "preset": "tiny",
            **changes,
        }
        return TrainingSpec.model_validate(values)

    def train(self, run_id: str, **changes: Any) -> TrainingResult:
        """Carry a run out in this process."""
        from trainer.run import execute

        write_spec(self.paths(run_id), self.spec(run_id, **changes))
        return execute(self.paths(run_id))

    def make_stable(self, version: int) -> None:
        """As the gateway's rollout would."""
        self.model.rollout.write_bytes(Rollout(model=MODEL, stable=version).to_json())

    def card(self, version: int) -> ModelCard:
        """A version's card."""
        return ModelCard.model_validate_json(self.model.card(version).read_bytes())

    def upload(self, label: str, content: bytes, extension: str = "png") -> Path:
        """One example, in the split that its hash says."""
        digest = sha256_of(content)
        split = split_of(digest, SplitShares())
        path = example_path(self.data.parent, MODEL, split, label, digest, extension)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def upload_many(self, label: str, colour: tuple[int, int, int], seeds: Iterable[int]) -> None:
        """Pictures of one colour under a label."""
        for seed in seeds:
            self.upload(label, picture(colour, seed))

    def upload_each(self, count: int, first_seed: int = 50_000) -> None:
        """Right examples of each colour."""
        for index, (label, colour) in enumerate(COLOURS.items()):
            start = first_seed + 1000 * index
            self.upload_many(label, colour, range(start, start + count))

    def copy(self, root: Path) -> Service:
        """The same stores elsewhere."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Service(root)


def start_service(root: Path) -> Service:
    """Base data with enough protected pictures, and version 1 in service."""
    service = Service(root)
    draw_dataset(service.data, train=80, test=110)
    assert service.train("first").version == 1
    service.make_stable(1)
    return service
