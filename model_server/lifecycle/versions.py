"""What lies in a model's base path, and which of it a policy asks for.

A version is a directory whose name is a whole number, leading zeros accepted, and it counts the moment
it exists. Everything else in the base path is left alone. Reading only; nothing here loads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from contract.layout import SAVED_MODEL
from model_server.lifecycle.model_config import All, Latest, Policy, Specific

_INT64_END = 2**63
_LITE_MODEL = "model.tflite"


@dataclass(frozen=True)
class VersionDirectory:
    """One version on the disk."""

    number: int
    path: Path
    fingerprint: tuple[int, ...]
    """Changes when the files do, so that a repaired version is loaded again."""


@dataclass(frozen=True)
class Listing:
    """One look into a base path."""

    versions: Mapping[int, VersionDirectory]
    ignored: tuple[str, ...] = ()
    """Directories whose names are no version numbers, and directories that another name shadows."""


def list_versions(base_path: Path) -> Listing:
    """Look into a base path. Raises OSError when it is not there or cannot be read."""
    versions: dict[int, VersionDirectory] = {}
    ignored: list[str] = []
    for entry in sorted(base_path.iterdir()):
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        number = _number(entry.name)
        if number is None:
            ignored.append(entry.name)
            continue
        if number in versions:
            ignored.append(versions[number].path.name)
        versions[number] = VersionDirectory(number, entry, _fingerprint(entry))
    return Listing(versions, tuple(ignored))


def wanted(policy: Policy, available: Iterable[int]) -> set[int]:
    """The versions that `policy` asks for, out of those that exist."""
    match policy:
        case All():
            return set(available)
        case Specific(versions):
            return set(available) & versions
        case Latest(count):
            return set(sorted(available)[-count:])


def _number(name: str) -> int | None:
    if not (name.isascii() and name.isdigit()) or len(name) > 64:
        return None
    number = int(name)
    return number if number < _INT64_END else None


def _fingerprint(path: Path) -> tuple[int, ...]:
    marks: list[int] = []
    for file in (path, path / SAVED_MODEL, path / "variables", path / _LITE_MODEL):
        try:
            status = file.stat()
        except OSError:
            marks.append(0)
        else:
            marks += (status.st_ino, status.st_mtime_ns, status.st_size)
    return tuple(marks)
