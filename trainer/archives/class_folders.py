"""A tar or zip of class folders, as people send them: no path leaves the folder, no bomb unpacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trainer.archives.limits import Advance, ArchiveError, Limits, readable, write
from trainer.archives.members import Member, members

SPLITS = ("train", "test")
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
"""Suffixes of the files that are taken out of an archive of class folders; others are left in it."""


def unpack_class_folders(archive: Path, folder: Path, advance: Advance, limits: Limits | None = None) -> None:
    """Write the pictures of a tar or zip to `<folder>/<split>/<class>/<file>`, or `<folder>/<class>/<file>`.

    What stands before the split (or the class, where no path names a split) is dropped. Hidden files and
    files that are no pictures are left out.

    Raises:
        ArchiveError: neither tar nor zip, a link or device, a path that leaves the folder, two files at one
            path, no pictures, splits beside folders that are none, or more than the limits.
        OSError: the disk is full, …
    """
    budget = _Budget(archive.stat().st_size, limits or Limits())
    with_split: set[bool] = set()
    for member in members(archive):
        budget.spend(member)
        place = _place(_safe_path(member.name))
        if place is None:
            continue
        with_split.add(len(place.parts) == 3)
        if len(with_split) == 2:
            raise ArchiveError(
                f"{member.name!r}: some pictures lie below {' or '.join(SPLITS)}, others do not; expected "
                "train/<class>/<file> and test/<class>/<file>, or <class>/<file> throughout"
            )
        with readable(archive):
            content = member.read()
        write(folder / place, content)
        advance(1)
    if not with_split:
        raise ArchiveError(f"{archive} holds no pictures in class folders (train/<class>/<file>.png)")


@dataclass
class _Budget:
    packed: int
    limits: Limits
    files: int = 0
    unpacked: int = 0

    def spend(self, member: Member) -> None:
        """Count a member by what its header announces, before a byte of it is unpacked."""
        self.files += 1
        self.unpacked += member.size
        if self.files > self.limits.members:
            raise ArchiveError(f"more than {self.limits.members:,} files; that many are not accepted")
        if member.size > self.limits.bytes_per_file:
            limit = self.limits.bytes_per_file
            raise ArchiveError(f"{member.name!r} holds {member.size:,} bytes; at most {limit:,} are accepted")
        if self.unpacked > self.limits.bytes_in_all:
            raise ArchiveError(f"more than {self.limits.bytes_in_all:,} bytes unpacked; that is not accepted")
        is_bomb = self.unpacked > self.limits.ratio * self.packed
        if is_bomb and self.unpacked > self.limits.bytes_without_ratio:
            raise ArchiveError(
                f"{self.packed:,} bytes unpack to more than {self.unpacked:,}; pictures do not pack so well"
            )


def _safe_path(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not name.isprintable():
        raise ArchiveError(f"{name!r} is no plain path inside the archive; nothing was kept")
    return path


def _place(path: PurePosixPath) -> PurePosixPath | None:
    """Where a member belongs: split/class/file or class/file; None for what is left out."""
    is_hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    if is_hidden or path.suffix.lower() not in PICTURES or len(path.parts) < 2:
        return None
    has_split = len(path.parts) >= 3 and path.parts[-3] in SPLITS
    return PurePosixPath(*path.parts[-3:] if has_split else path.parts[-2:])
