"""Refuses to load what the memory cannot hold, instead of being killed with everything that serves.

A swap holds two versions at a time. In a container the limit is the control group's, and going over it is no
error but the end of the process; so what a version will take is estimated and compared before it is read.
"""

from __future__ import annotations

import ctypes
import gc
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model_server.errors import Code, ServingError
from model_server.runtime import cgroups

MEMORY_OF_FILES = 6.0
MEMORY_OF_A_SESSION = 64 * 2**20
"""Bytes of memory that a byte of graph and variables takes, and those that any session takes.

The bundled model, with 8 MB of graph and warm-up requests of up to 64 images, takes 115 MB. Upstream reckons
with 1.2 bytes a byte and no more.
"""

_MEMINFO = Path("/proc/meminfo")
_MB = 2**20


@dataclass(frozen=True)
class Room:
    """What is left, in bytes; infinite where nothing limits it."""

    free: float
    limit: float


def estimate(version: Path) -> float:
    """Bytes that loading a version directory takes, from the sizes of its graph and its variables."""
    files = [version / "saved_model.pb", version / "saved_model.pbtxt", *version.glob("variables/*")]
    size = sum(file.stat().st_size for file in files if file.is_file())
    return MEMORY_OF_A_SESSION + MEMORY_OF_FILES * size


def room(root: Path = cgroups.ROOT, membership: Path = cgroups.MEMBERSHIP, meminfo: Path = _MEMINFO) -> Room:
    """The tightest of the machine and every control group around this process."""
    rooms = [_of_machine(meminfo)]
    rooms += [_version_two(folder) for folder in cgroups.ancestors(root, cgroups.group(membership, ""))]
    group = cgroups.group(membership, "memory")
    rooms += [_version_one(folder) for folder in cgroups.ancestors(root / "memory", group)]
    return min(rooms, key=lambda one: one.free)


class MemoryGuard:
    """Lets a load begin when it fits beside those under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reserved = 0.0

    @contextmanager
    def reserve(self, version: Path, needed: float | None = None) -> Iterator[None]:
        """Hold what the version will take while it loads. Raises ServingError (RESOURCE_EXHAUSTED).

        `needed`: bytes; without it they are estimated from the SavedModel's files.
        """
        needed = estimate(version) if needed is None else needed
        with self._lock:
            found = room()
            free = found.free - self._reserved
            if needed > free:
                raise ServingError(Code.RESOURCE_EXHAUSTED, _refusal(version, needed, free, found.limit))
            self._reserved += needed
        try:
            yield
        finally:
            with self._lock:
                self._reserved -= needed


def give_back() -> None:
    """Return to the system what an unloaded version has left.

    A graph and its session refer to one another, so that only the collector of cycles frees them; and glibc
    keeps what is freed for itself unless it is told. Without the first, every swap cost 20 MB for ever.
    """
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return  # another C library


def _refusal(version: Path, needed: float, free: float, limit: float) -> str:
    return (
        f"{version} does not fit into memory: loading it takes about {needed / _MB:.0f} MB, and "
        f"{max(0.0, free) / _MB:.0f} MB of {limit / _MB:.0f} MB are free; raise the memory limit, serve "
        "fewer versions, or try all the same with --check_memory=false"
    )


def _of_machine(meminfo: Path) -> Room:
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free, total = (int(lines[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))
    except (OSError, ValueError, KeyError):
        return Room(math.inf, math.inf)
    return Room(free, total)


def _version_two(folder: Path) -> Room:
    """Pages of files that were read once are given up when memory runs short, so they count as free."""
    return _room(folder, "memory.max", "memory.current", "inactive_file")


def _version_one(folder: Path) -> Room:
    return _room(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _room(folder: Path, limit_file: str, usage_file: str, reclaimable: str) -> Room:
    try:
        limit = int((folder / limit_file).read_text())
        used = int((folder / usage_file).read_text())
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return Room(limit - used + int(statistics.get(reclaimable, 0)), limit)
    except (OSError, ValueError):  # `max` stands for no limit
        return Room(math.inf, math.inf)
