"""The version of Rekindle, which pyproject.toml alone states.

Beside the code lies pyproject.toml in a checkout and in the images; a wheel carries it as its metadata. What
else has to name the version (chart, images, changelog) is set by `make release` and compared by a test.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

_BESIDE = Path(__file__).resolve().parent.parent / "pyproject.toml"
UNKNOWN = "0"
"""Where the code was copied somewhere without either."""


@cache
def version() -> str:
    """E.g. `0.1.0`. What lies beside the code counts first: another version may be installed, too."""
    try:
        project = tomllib.loads(_BESIDE.read_text(encoding="utf-8"))["project"]
        if project["name"] == "rekindle":
            return str(project["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        pass
    try:
        return metadata.version("rekindle")
    except metadata.PackageNotFoundError:
        return UNKNOWN
