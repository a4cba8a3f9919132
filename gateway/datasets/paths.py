"""What the path of a file in an archive says: its label, and whether it belongs to the test split.

Accepted is `<label>/<file>`, below train/, validation/ or test/ or not, and all of it below one wrapping
folder or not. The first picture decides about the wrapping folder; what lies elsewhere is refused, since
nobody can know which folder of a deeper tree is the label.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import TypeAdapter, ValidationError

from contract.values import LabelName

SPLIT_FOLDERS = frozenset({"train", "validation", "val", "test"})
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".zst", ".7z", ".rar"})

_LABEL: TypeAdapter[str] = TypeAdapter(LabelName)
_DRIVE = re.compile(r"[A-Za-z]:")


class RefusedPathError(ValueError):
    """The file cannot be imported from where it lies; the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a path says."""

    label: str
    is_test: bool


def checked_label(text: str) -> str:
    """The label as it is. Raises RefusedPathError."""
    try:
        label = _LABEL.validate_python(text)
        label.encode()  # no lone surrogates
    except (ValidationError, UnicodeEncodeError):
        raise RefusedPathError(
            f"{text[:80]!r} is no label: 1 to 120 characters, no leading dot, no / or \\, nothing invisible"
        ) from None
    return label


class Layout:
    """Reads the paths of one archive, in their order."""

    def __init__(self) -> None:
        self._wrapper: str | None = None
        self._is_decided = False

    def place(self, name: str) -> Place:
        """Label and split folder of a file. Raises RefusedPathError."""
        parts = _parts(name)
        if PurePosixPath(parts[-1]).suffix.lower() in ARCHIVES:
            raise RefusedPathError("an archive inside the archive; unpack it first")
        folders = self._unwrapped(parts)
        is_split = len(folders) == 2 and folders[0].lower() in SPLIT_FOLDERS
        if len(folders) != 1 and not is_split:
            raise RefusedPathError(
                "expected <label>/<file>, optionally below train/ or test/, and below one folder for all"
            )
        return Place(checked_label(folders[-1]), is_test=is_split and folders[0].lower() == "test")

    def _unwrapped(self, parts: list[str]) -> list[str]:
        folders = parts[:-1]
        if not folders:
            raise RefusedPathError("the file lies in no folder; the folder's name is the label")
        if not self._is_decided and PurePosixPath(parts[-1]).suffix.lower() in PICTURES:
            is_wrapped = len(folders) == 3 or (len(folders) == 2 and folders[0].lower() not in SPLIT_FOLDERS)
            self._wrapper = folders[0] if is_wrapped else None
            self._is_decided = True
        if self._wrapper is None:
            return folders
        if folders[0] != self._wrapper:
            raise RefusedPathError(
                f"the pictures before it lie below {self._wrapper[:80]!r}, this one does not"
            )
        return folders[1:]


def _parts(name: str) -> list[str]:
    """The folders and the name. Raises RefusedPathError for what must not or need not be looked at."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise RefusedPathError("the name is not UTF-8") from None
    if name.startswith("/") or _DRIVE.match(name):
        raise RefusedPathError("an absolute name")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise RefusedPathError("the name leads out of the archive (..)")
    if any(part.startswith(".") or part == "__MACOSX" for part in parts):
        raise RefusedPathError("hidden")
    return parts
