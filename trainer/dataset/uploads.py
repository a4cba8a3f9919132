"""Which examples came through the gateway, and which of them a version has already seen.

A version carries the list of the uploads that lay there when its run began. What is new is a matter of
content hashes and labels, not of clocks: a file's time may be wrong, and a restored volume has only new ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from contract import layout
from contract.values import Record
from trainer.dataset.reading import File


class UploadList(Record):
    """uploads.json in a version directory."""

    examples: list[str]
    """`<label>/<sha256>`, sorted."""


def name_of(file: File) -> str:
    """`<label>/<sha256>` of an uploaded file: another label makes it another example."""
    return f"{file.path.parent.name}/{file.path.stem}"


def listed(files: Iterable[File]) -> frozenset[str]:
    """The uploads among the files."""
    return frozenset(name_of(file) for file in files if file.is_upload)


def keep_only(uploads: Collection[str], file: File) -> bool:
    """True for base pictures, and for uploads that are in the list: later ones wait for the next run."""
    return not file.is_upload or name_of(file) in uploads


def seen_by(version: Path) -> frozenset[str]:
    """What a version has seen; nothing where it has no list, as of old. Raises OSError, ValueError."""
    try:
        content = (version / layout.UPLOADS).read_bytes()
    except FileNotFoundError:
        return frozenset()
    return frozenset(UploadList.model_validate_json(content).examples)


def write(version: Path, uploads: Iterable[str]) -> None:
    """Leave the list in a version directory."""
    content = UploadList(examples=sorted(uploads)).to_json()
    layout.write_atomically(version / layout.UPLOADS, content)
