"""What a forge reads of the repository: workflows, forms, hooks, the development container."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from documents import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yaml"))
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "vendor.github-issue-forms": sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yaml")),
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.dependabot": [GITHUB / "dependabot.yml"],
}


def targets() -> set[str]:
    """What `make` knows."""
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_files_are_what_the_forge_expects(schema: str) -> None:
    """By GitHub's own schemas, which check-jsonschema brings along."""
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        schema,
        *map(str, SCHEMAS[schema]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    """Expressions, inputs of actions and the shell of the workflows are right."""
    actionlint = shutil.which("actionlint")
    if actionlint is None:
        if os.environ.get("REKINDLE_REQUIRE_ALL_TESTS") == "1" and shutil.which("go"):
            pytest.fail("actionlint is not installed, although Go is")
        pytest.skip("needs actionlint: go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12")
    done = subprocess.run(
        [actionlint, *WORKFLOWS, ROOT / "deploy" / "ci" / "retrain.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_a_developer_runs(path: Path) -> None:
    """Each make target is there; each job has a limit of time; nobody may write unless a job says so."""
    workflow = yaml.safe_load(path.read_text())
    called = set(re.findall(r"make ([a-z0-9-]+)", path.read_text()))
    assert called <= targets()
    assert workflow["permissions"]["contents"] == "read"
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 120


def test_the_released_images_are_those_of_the_repository() -> None:
    """One for each Dockerfile, for two architectures."""
    jobs = yaml.safe_load((GITHUB / "workflows" / "release.yaml").read_text())["jobs"]
    files = {each["file"] for each in jobs["images"]["strategy"]["matrix"]["include"]}
    assert files == {str(path.relative_to(ROOT)) for path in ROOT.glob("*/Dockerfile")}
    build = next(step for step in jobs["images"]["steps"] if "build-push-action" in step.get("uses", ""))
    assert build["with"]["platforms"] == "linux/amd64,linux/arm64"


def test_hooks_and_container_call_what_is_there() -> None:
    """The hooks are tools of the environment; the container makes it."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    modules = {match[1] for hook in hooks if (match := re.search(r"-m (\w+)", hook["entry"]))}
    assert modules == {"ruff"}
    assert all((ROOT / path).exists() for path in re.findall(r"requirements/\S+\.py", str(hooks)))
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert set(re.findall(r"make ([a-z0-9-]+)", container["onCreateCommand"])) <= targets() | {"development"}
