"""`make notebook`: runs the walkthrough from the first to the last cell and keeps its outputs.

What differs between two runs of the same code (execution times, the identity of a process) is not kept, so
that a fresh execution changes little.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent
WALKTHROUGH = FOLDER / "walkthrough.ipynb"
CELL_SECONDS = 3600


def executed(path: Path = WALKTHROUGH) -> nbformat.NotebookNode:
    """The notebook with the outputs of a new execution. Raises nbclient.exceptions.CellExecutionError."""
    notebook = nbformat.read(path, as_version=4)
    repository = FOLDER.parent
    os.environ["PYTHONPATH"] = os.pathsep.join([str(repository), str(FOLDER)])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    resources = {"metadata": {"path": str(repository)}}
    NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=resources).execute()
    return notebook


def without_accidents(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what no reader needs: execution times, stderr, the trainer's console."""
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [part for part in cell.outputs if not _is_accident(part)]
    notebook.metadata = {"kernelspec": notebook.metadata.get("kernelspec", {})}
    return notebook


def _is_accident(output: nbformat.NotebookNode) -> bool:
    return output.get("name") == "stderr" or "text/html" in output.get("data", {})


def main() -> None:
    """Execute, and write."""
    parser = argparse.ArgumentParser(prog="make notebook", description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=WALKTHROUGH, help="default: the notebook itself")
    flags = parser.parse_args()
    started = time.perf_counter()
    nbformat.write(without_accidents(executed()), flags.output)
    print(
        f"{flags.output}: {time.perf_counter() - started:.0f} s, {flags.output.stat().st_size / 1000:.0f} kB"
    )


if __name__ == "__main__":
    main()
