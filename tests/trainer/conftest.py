"""What the trainer's tests share: a drawn dataset, the command line, one finished run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from drawing import draw_dataset
from learning import Service, start_service

from contract.layout import ModelPaths, RunPaths

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Workshop:
    """Folders of one test, and the trainer's command line on them."""

    root: Path
    data: Path

    @property
    def model(self) -> ModelPaths:
        """The model that the runs publish to."""
        return ModelPaths(self.root / "models", "colours")

    def run_paths(self, run_id: str) -> RunPaths:
        """A run's directory."""
        return RunPaths(self.root / "runs", run_id)

    def run_arguments(self, run_id: str, *extra: str) -> list[str]:
        """`run` with the test's folders and the tiny preset."""
        folders = [
            "--data",
            str(self.data),
            "--models",
            str(self.model.store),
            "--runs",
            str(self.root / "runs"),
        ]
        return ["run", *folders, "--model", "colours", "--preset", "tiny", "--run-id", run_id, *extra]

    def start(
        self, *arguments: str, script: Path | None = None, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """`python -m trainer …`, or a script in its place, as a process with its output captured."""
        program = [str(script)] if script else ["-m", "trainer"]
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def call(self, *arguments: str, script: Path | None = None) -> tuple[int, str]:
        """Start, wait, and return exit status and output."""
        process = self.start(*arguments, script=script)
        output, _ = process.communicate(timeout=240)
        return process.returncode, output


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three colours with train/ and test/."""
    return draw_dataset(tmp_path_factory.mktemp("drawn") / "colours")


@pytest.fixture
def workshop(tmp_path: Path, drawn_data: Path) -> Workshop:
    """Empty folders and the drawn dataset."""
    return Workshop(tmp_path, drawn_data)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, drawn_data: Path) -> Workshop:
    """A workshop in which run `first` has published version 1; tests must only read it."""
    shop = Workshop(tmp_path_factory.mktemp("finished"), drawn_data)
    code, output = shop.call(*shop.run_arguments("first"))
    assert code == 0, output
    return shop


@pytest.fixture(scope="session")
def in_service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Base data and a stable version 1; tests must only read it."""
    return start_service(tmp_path_factory.mktemp("service"))


@pytest.fixture
def service(in_service: Service, tmp_path: Path) -> Service:
    """A copy of it."""
    return in_service.copy(tmp_path)
