"""Writes the dashboards: `python helm/rekindle/monitoring/source`, from `make reference`.

A test compares the files with what this writes.
"""

from __future__ import annotations

import json
from pathlib import Path

import model
import service
import training
from panels import dashboard

FOLDER = Path(__file__).resolve().parent.parent / "dashboards"


def texts() -> dict[str, str]:
    """File name → content."""
    found = {
        "service": dashboard("service", "Rekindle: service", service.ROWS),
        "model": dashboard("model", "Rekindle: models", model.ROWS, by_model=True),
        "training": dashboard("training", "Rekindle: training", training.ROWS),
    }
    return {f"{name}.json": json.dumps(content, indent=1) + "\n" for name, content in found.items()}


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text)
        print(json.dumps({"written": str(FOLDER / name)}))


if __name__ == "__main__":
    main()
