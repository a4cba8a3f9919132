"""--flush_filesystem_caches: gives back the page cache of a version's files once they have been read.

In a container these pages count as the container's memory until the kernel needs them for something else,
which makes a server look larger than it is. Upstream asks TensorFlow's file systems to flush, and of these
only the remote ones have a cache of their own.
"""

from __future__ import annotations

import os
from pathlib import Path


def drop(version: Path) -> None:
    """Let the kernel forget the files below a directory; does nothing where it cannot be told to."""
    if not hasattr(os, "posix_fadvise"):
        return
    for file in version.rglob("*"):
        if file.is_file():
            _drop(file)


def _drop(file: Path) -> None:
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return  # it has been replaced or removed meanwhile
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        return  # a file system without a cache
    finally:
        os.close(descriptor)
