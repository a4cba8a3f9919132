"""Where this process stands in the tree of control groups, versions 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def group(membership: Path, controller: str) -> str:
    """The path of this process' group; "" stands for version 2.

    In a container it may lie outside what is mounted there.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return "/"
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, separator, path = rest.partition(":")
        if separator and controller in controllers.split(","):
            return path
    return "/"


def ancestors(root: Path, path: str) -> Iterator[Path]:
    """The folders of a group and of all groups around it; a limit of any of them holds."""
    folder = root / path.lstrip("/")
    while folder != root and root in folder.parents:
        yield folder
        folder = folder.parent
    yield root
