"""A tree to release: this one, without what lies around in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = (
    ".git",
    ".venv",
    ".*_cache",
    ".cache",
    "__pycache__",
    "build",
    "dist",
    "runs",
    "models",
    "data",
    "site",
    "*.egg-info",
)


@pytest.fixture(scope="package")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that may be built in."""
    folder = tmp_path_factory.mktemp("release") / "tree"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    for kept in ("models/README.md", "data/README.md"):
        (folder / kept).parent.mkdir()
        shutil.copyfile(ROOT / kept, folder / kept)
    shutil.copytree(ROOT / "models" / "cifar10" / "1", folder / "models" / "cifar10" / "1")
    return folder
