"""The marker of a finished version in an object store: written last, it lists what belongs to the version.

An object store has no rename. So a version counts as there when its marker is, and what was read counts only
if it is what the marker says, byte by byte: an upload that was broken off, or two at once, shows nowhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contract.layout import SAVED_MODEL, is_model_name, is_version_name, walk_files
from mirror.errors import MirrorError

MARKER = ".complete.json"


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if (
        not parts
        or path != "/".join(parts)
        or "\\" in path
        or any(part in ("/", "..", ".") for part in parts)
    ):
        raise ValueError(f"{path!r} is no path inside of a version")
    return path


class MarkedFile(BaseModel):
    """One file of a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Marker(BaseModel):
    """All files of a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    files: dict[Annotated[str, AfterValidator(_inside)], MarkedFile] = Field(min_length=1)

    @property
    def bytes(self) -> int:
        """What the version takes on a disk."""
        return sum(file.bytes for file in self.files.values())


def marker_of(folder: Path) -> Marker:
    """The marker of a finished local version. Raises OSError where it goes meanwhile."""
    files = {file.relative_to(folder).as_posix(): _marked(file) for file in walk_files(folder)}
    if SAVED_MODEL not in files:
        raise FileNotFoundError(f"{folder / SAVED_MODEL} is gone")
    return Marker(files=files)


def _marked(file: Path) -> MarkedFile:
    with file.open("rb") as opened:
        return MarkedFile(bytes=file.stat().st_size, sha256=hashlib.file_digest(opened, "sha256").hexdigest())


def check(folder: Path, marker: Marker) -> None:
    """What was downloaded is what the marker lists. Raises MirrorError with the first difference."""
    for name, expected in marker.files.items():
        if (found := _marked(folder / name)) != expected:
            raise MirrorError(
                f"{name} is not what {MARKER} says ({found.bytes} bytes, expected {expected.bytes}, or other "
                "content); the upload was broken off or two went on at once: push the version again"
            )


def finished(paths: Iterable[str]) -> list[tuple[str, int]]:
    """The (model, version) that have a marker, by the paths of a store."""
    parts = (path.split("/") for path in paths)
    found = [each for each in parts if len(each) == 3 and each[2] == MARKER]
    return sorted(
        (model, int(version))
        for model, version, _ in found
        if is_model_name(model) and is_version_name(version)
    )
