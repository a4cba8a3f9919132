"""Where the version stands: pyproject.toml states it, and what cannot read that file repeats it.

A chart, an image's label and a command in a document are read without this repository's Python, so they hold
the number itself. `set_everywhere` writes all of them, and a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NUMBER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
STATED = "pyproject.toml"
_LINES = {
    STATED: (r'version = "(?P<version>.*)"',),
    "helm/rekindle/Chart.yaml": ("version: (?P<version>.*)", "appVersion: (?P<version>.*)"),
    **{
        f"{role}/Dockerfile": ("ARG VERSION=(?P<version>.*)",)
        for role in ("gateway", "mirror", "model_server", "trainer")
    },
}
"""File → its lines that hold the version."""
_IMAGE = re.compile(rf"\brekindle/(?:gateway|model-server|trainer|mirror):(?P<version>{NUMBER.pattern})")
_NAMES_IMAGES = ("README.md", "docs/**/*.md", "k8s/**/*.yaml", "deploy/**/*.yaml")


class ReleaseError(Exception):
    """What keeps a release from being made; the message says what, and the way out."""


@dataclass(frozen=True)
class Place:
    """One spot of one file that holds the version."""

    file: Path
    start: int
    end: int
    version: str


def places(root: Path) -> Iterator[Place]:
    """Every spot. Raises ReleaseError where a line is missing that has to be there."""
    for name, lines in _LINES.items():
        text = (root / name).read_text(encoding="utf-8")
        for line in lines:
            found = re.search(f"^{line}$", text, re.MULTILINE)
            if found is None:
                raise ReleaseError(f"{name}: there is no line `{line.replace('(?P<version>.*)', 'X.Y.Z')}`")
            yield Place(root / name, *found.span("version"), found["version"])
    for pattern in _NAMES_IMAGES:
        for file in sorted(root.glob(pattern)):
            for found in _IMAGE.finditer(file.read_text(encoding="utf-8")):
                yield Place(file, *found.span("version"), found["version"])


def stated(root: Path) -> str:
    """The version of pyproject.toml."""
    return next(place.version for place in places(root) if place.file == root / STATED)


def set_everywhere(root: Path, version: str) -> list[Path]:
    """Write the version to every spot; returns the files that changed."""
    changed: dict[Path, str] = {}
    for place in sorted(places(root), key=lambda place: place.start, reverse=True):
        if place.version != version:
            text = changed.get(place.file) or place.file.read_text(encoding="utf-8")
            changed[place.file] = text[: place.start] + version + text[place.end :]
    for file, text in changed.items():
        file.write_text(text, encoding="utf-8")
    return sorted(changed)
