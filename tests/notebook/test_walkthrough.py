"""The notebook runs from the first to the last cell, and what is committed of it is small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

REPOSITORY = Path(__file__).parents[2]
WALKTHROUGH = REPOSITORY / "notebook" / "walkthrough.ipynb"
LARGEST_OUTPUTS = 450_000
"""Bytes of the committed file."""


def test_the_committed_notebook_was_executed_and_is_small() -> None:
    """Every cell that prints has its outputs, none is an error, and the file stays small."""
    notebook = nbformat.read(WALKTHROUGH, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.outputs for cell in cells if "print(" in cell.source or "show." in cell.source)
    assert not [part for cell in cells for part in cell.outputs if part.output_type == "error"]
    assert WALKTHROUGH.stat().st_size < LARGEST_OUTPUTS


@pytest.mark.notebook
@pytest.mark.stack
@pytest.mark.tensorflow
@pytest.mark.timeout(1800)
def test_the_walkthrough_runs(tmp_path: Path) -> None:
    """All cells run on drawn pictures with real processes, in the order of the committed file."""
    copy = tmp_path / "walkthrough.ipynb"
    command = [sys.executable, str(REPOSITORY / "notebook" / "execute.py"), "--output", str(copy)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    fresh, kept = (nbformat.read(path, as_version=4) for path in (copy, WALKTHROUGH))
    assert [cell.source for cell in fresh.cells] == [cell.source for cell in kept.cells]
    text = "".join(part.text for cell in fresh.cells for part in cell.get("outputs", []) if "text" in part)
    assert "succeeded: shapes version 1" in text
    assert "all corrected" in text
