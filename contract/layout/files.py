"""Files that arrive whole, and folders that are read in order."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` so that a reader sees the old or the new file, never a part.

    Raises OSError and leaves the old file as it was, e.g. when the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync(path.parent)


def fsync(path: Path) -> None:
    """Sync one file, or the names in one folder. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(root: Path) -> None:
    """Sync every file and folder, so that a rename makes nothing visible that a power cut could empty."""
    for folder, _, files in os.walk(root):
        for name in files:
            fsync(Path(folder, name))
        fsync(Path(folder))


def walk_files(
    root: Path, keep: Callable[[str], bool] = lambda name: not name.startswith(".")
) -> Iterator[Path]:
    """Every file below `root` in sorted order, without hidden files and folders."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if keep(name))
        for name in sorted(files):
            if keep(name):
                yield Path(folder, name)
