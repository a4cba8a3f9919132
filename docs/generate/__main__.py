"""Writes docs/reference from the code: `python docs/generate`, from `make reference`.

It stands outside of the roles because it looks into all of them. A test compares the files with what this
writes. The settings, the problems and the model server's differences are written by their own roles.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"


def texts() -> dict[str, str]:
    """File name → content."""
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    import command_lines
    import http_api
    import metrics

    return {
        "http-api.md": http_api.page(),
        "metrics.md": metrics.page(),
        "command-lines.md": command_lines.page(),
    }


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text)
        print(json.dumps({"written": str(FOLDER / name)}))


if __name__ == "__main__":
    main()
