"""The official client in an environment of its own, which has nothing of ours but the contract's messages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from example_models import export
from model_servers import running

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the official client."""
    environment = tmp_path_factory.mktemp("official") / "venv"
    command = [sys.executable, "requirements/install.py", "--venv", str(environment), "official-client"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if finished.returncode and not os.environ.get("REKINDLE_REQUIRE_ALL_TESTS"):
        pytest.skip(f"the official client cannot be installed here: {finished.stderr[-300:]}")
    assert finished.returncode == 0, finished.stderr
    return environment / "bin" / "python"


def test_every_rpc_answers_the_official_client_as_it_answers_ours(
    python: Path, exports: Path, tmp_path: Path
) -> None:
    """Requests of the official classes and of the contract's get answers that are equal to the byte."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export(tmp_path / "examples" / "3")
    shutil.copytree(exports / "1", tmp_path / "single" / "1")
    paths = {"tiny": exports, "examples": tmp_path / "examples", "single": tmp_path / "single"}
    entries = " ".join(
        f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" }}'
        for name, path in paths.items()
    )
    config = tmp_path / "models.config"
    config.write_text(f"model_config_list {{ {entries} }}")
    with running(f"--model_config_file={config}") as server:
        finished = subprocess.run(
            [python, ROOT / "tests/model_server/every_rpc.py", f"127.0.0.1:{server.grpc_port}"]
            + [f"{name}={path}" for name, path in paths.items()],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
    assert finished.returncode == 0, finished.stderr[-2000:]
    lines = {line["rpc"]: line for line in map(json.loads, finished.stdout.splitlines())}
    assert list(lines) == [
        *("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata"),
        *("GetModelStatus", "HandleReloadConfigRequest"),
    ]
    assert [rpc for rpc, line in lines.items() if not line["same_answer"]] == []
    assert [rpc for rpc, line in lines.items() if not line["same_request"]] == []
    assert "string_val" in lines["Predict"]["read"]
    assert 'label: "yes"' in lines["Classify"]["read"]
    assert "value: 0.5" in lines["Regress"]["read"]
    assert "AVAILABLE" in lines["GetModelStatus"]["read"]
