"""How a fetch ends other than well, as one sentence; and that there is only one at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FetchError(Exception):
    """The dataset could not be fetched; the message says why, what was kept and the way out."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep a second fetch out of the same folder; the lock ends with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise FetchError(f"another fetch into {folder} is running; wait for it, or stop it") from None
    finally:
        os.close(descriptor)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """What the operating system refuses, as a sentence; a full disk with the way out."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise FetchError(f"{error.filename or folder}: {error.strerror or error}") from error
        raise FetchError(
            f"the disk is full, {shutil.disk_usage(folder).free:,} bytes are free for {folder.absolute()}. "
            "CIFAR-10 takes 450 MB while it is fetched and 240 MB afterwards. What was downloaded is kept: "
            "make room and run the same command again."
        ) from error
