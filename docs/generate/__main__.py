"""Writes docs/reference from the code, and tables into pages: `python docs/generate` (`make reference`).

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
    import chart_values
    import command_lines
    import http_api
    import metrics

    return {
        "http-api.md": http_api.page(),
        "metrics.md": metrics.page(),
        "command-lines.md": command_lines.page(),
        "chart-values.md": chart_values.page(),
    }


def pages() -> dict[str, str]:
    """Path of a page that quotes figures → the page with its tables anew."""
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    import tables

    return {page: tables.written(page) for page in tables.PAGES}


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    files = {FOLDER / name: text for name, text in texts().items()}
    files |= {ROOT / page: text for page, text in pages().items()}
    for path, text in files.items():
        path.write_text(text)
        print(json.dumps({"written": str(path)}))


if __name__ == "__main__":
    main()
